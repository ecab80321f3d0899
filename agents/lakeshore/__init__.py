"""What the Agents of Lake Shore's instruments share: lines, transports, outages, curves."""
