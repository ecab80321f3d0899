# ruff: noqa: T201 - scripts of 2019 print
"""A control script as people wrote them in 2019 (spec/ocs-protocol.md, section 17.2).

A generator run by run_control_script2; it takes nobody's answer seriously, and the aggregator
is told what to record. It stands here to show that such scripts run as they are.
"""

import os

from ocs import client_t, site_config


def my_script(app, pargs):
    print("Entered control")
    root = pargs.address_root

    print("Registering tasks")
    subscribe = client_t.TaskClient(app, f"{root}.aggregator", "subscribe")
    aggregate = client_t.ProcessClient(app, f"{root}.aggregator", "aggregate")
    init_lakeshore = client_t.TaskClient(app, f"{root}.{pargs.target}", "init_lakeshore")
    get_data = client_t.ProcessClient(app, f"{root}.{pargs.target}", "acq")

    yield subscribe.start(
        params={"agent_address": f"{root}.{pargs.target}", "feed_name": "temperatures"}
    )
    yield subscribe.wait()

    print("Starting Aggregator")
    yield aggregate.start(
        params={
            "time_per_file": 5,
            "time_per_frame": 10,
            "data_dir": os.environ.get("SEED_DATA_DIR", "data/"),
        }
    )

    yield init_lakeshore.start()
    yield init_lakeshore.wait(timeout=10)
    print("Starting Data Acquisition")
    yield get_data.start()

    for remaining in range(3, 0, -1):
        print(f"sleeping for {remaining} more seconds")
        yield client_t.dsleep(1)

    print("Stopping Data Acquisition")
    yield get_data.stop()
    yield get_data.wait()

    print("Stopping Data Aggregator")
    yield aggregate.stop()
    yield aggregate.wait()


if __name__ == "__main__":
    parser = site_config.add_arguments()
    parser.add_argument("--target", default="thermo1")
    client_t.run_control_script2(my_script, parser=parser)
