"""Lake Shore 372 AC resistance bridge: codec, driver, Agent and simulator."""
