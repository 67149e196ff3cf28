"""MySQL and MariaDB: one engine, whose flavour is found out at login.

Promise: every session obeys the deadline in force, asks for the least rights that answer, and
never changes anything on the server it watches.
"""

from probes.model import Engine
from probes.mysql.connect import connect
from probes.mysql.grants import BASE
from probes.mysql.heartbeat import CANARY
from probes.mysql.lately import lately

ENGINE = Engine(
    name="mysql",
    title="MySQL / MariaDB",
    default_port=3306,
    flavours=("mysql", "mariadb"),
    open=connect,
    base_grants=BASE,
    options={"canary": CANARY},
    lately=lately,
)
