"""Engine for MySQL and MariaDB; the flavour is detected at login.

Every session obeys the deadline in force, needs the least rights possible, and never changes
anything on the server.
"""

from probes.mysql.connection.connect import connect
from probes.mysql.grants import BASE, account
from probes.mysql.lately import lately
from probes.mysql.replication.heartbeat import CANARY
from probes.words.engine import Engine, Script

ENGINE = Engine(
    name="mysql",
    title="MySQL / MariaDB",
    default_port=3306,
    flavours=("mysql", "mariadb"),
    open=connect,
    schemes=("mysql", "mariadb"),
    base_grants=BASE,
    script=Script(account=account),
    options={"canary": CANARY},
    lately=lately,
)
