"""The options of brokers; ``settings.table`` joins them to the others."""

from __future__ import annotations

from paddock.services import broker
from paddock.settings.kinds import BOOLEAN, FILE, choice
from paddock.settings.option import Option

OPTIONS = (
    Option(
        name="broker-configuration",
        kind=FILE,
        table="broker",
        help="file, from rootdir on, with settings of mosquitto.conf that are added to Paddock's own",
    ),
    Option(
        name="broker-per-worker",
        kind=BOOLEAN,
        default="true",
        aliases=broker.PER_WORKER_ALIASES,
        table="broker",
        help="whether a worker has a broker's topics for itself; if not, fixtures put test/<worker>/ before each",
    ),
    Option(
        name="broker-reset",
        kind=choice(broker.USED, broker.ALWAYS, broker.NEVER),
        default=broker.USED,
        table="broker",
        help="when a broker is cleared between tests: once one of them has used mqtt_broker, always, or never",
    ),
    Option(
        name="broker-accounts",
        kind=FILE,
        table="broker",
        help="file, from rootdir on, with accounts of brokers beside Paddock's own, a line name:password each",
    ),
    Option(
        name="broker-acl",
        kind=FILE,
        table="broker",
        help="file, from rootdir on, that says which account may use which topics, as Mosquitto's acl_file does",
    ),
    Option(
        name="broker-tls",
        kind=BOOLEAN,
        default="false",
        table="broker",
        help="whether brokers speak TLS, and nothing else; not together with --paddock-reuse",
    ),
    Option(
        name="broker-ca",
        kind=FILE,
        table="broker",
        help="certificate, from rootdir on, of the authority that signs the brokers' certificates; one is made for "
        "each run if not given",
    ),
    Option(name="broker-ca-key", kind=FILE, table="broker", help="key, from rootdir on, of that authority"),
)
