from typing import Any
from pathlib import Path
def test_x(ticketing: Any, telemetry_folder: Path) -> None:
    ticketing.restore("t1")
    import time, shutil
    time.sleep(2)
    shutil.copytree(telemetry_folder, "/tmp/telemetry-out")
    shutil.copy(ticketing.environment._host._log, "/tmp/telemetry-out/host.log")
