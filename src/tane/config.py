"""One typed settings tree, read from ``<state>/tane.toml``, then ``TANE_*`` environment variables, then flags."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from tane.linux import addresses
from tane.nearest import nearest

LimitModel = Literal["flat", "strict_two_level"]
Mode = Literal["auto", "root", "userns", "user", "simulated"]
Tls = Literal["", "auto", "files", "off"]
BRIDGE_MAPPING = r"\A[A-Za-z0-9_.-]{1,64}:[A-Za-z0-9_.-]{0,15}\Z"
LABEL = r"^[a-zA-Z_][a-zA-Z0-9_]*\Z"
WILDCARDS = ("", "0.0.0.0", "::", "*")
"""Values of ``host`` for all addresses of the machine."""


class ConfigError(Exception):
    """A setting is unknown or has a value that its type does not allow; the message names it."""


class ImageStore(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A named store of image data. ``path``: the folder of a "file" store; "http": data stays at its URL; "object": in
    the object storage of this cloud, ``policy`` says in how many copies ("": as ``[object] default_policy`` has it when
    the first image is kept there, after which it stays).

    ``slow``: what is used of it is cached; of a store of URLs it always is.
    """

    type: Literal["file", "http", "object"] = "file"
    path: Path = Path()
    policy: Literal["", "one", "three"] = ""
    description: str = ""
    weight: int = 0
    slow: bool = False


class ImageSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``[image]``. The names are Glance's; limits are defaults per project (-1: none), sizes in MiB.

    Of an allowed and a disallowed list only the allowed one counts when it is not empty. A host in ``allowed_hosts``
    may be an internal address, any other may not. ``conversion_format``: what imports are converted to.
    ``glance_download_properties``: how the properties begin that are taken over from another region's image.
    ``image_cache_dir`` lies in the state folder unless it is absolute, "" is no cache; ``image_cache_max_size``: bytes.
    ``strict_quotas``: data that passes a limit of sizes is refused even when its length was not announced; without it
    only the next upload is, as Glance does it and Tempest expects it. ``download_seconds``: within which all the data
    of a URL must have come, whatever it is fetched for. ``free_percent``: so much of the file system stays free:
    beyond it no data of images is taken in (0: it may be filled).
    """

    stores: dict[str, ImageStore] = {}
    default_store: str = "local"
    import_methods: tuple[str, ...] = ("glance-direct", "web-download", "copy-image", "glance-download")
    glance_download_properties: tuple[str, ...] = ("hw_", "trait:", "os_distro", "os_secure_boot", "os_type")
    allowed_schemes: tuple[str, ...] = ("http", "https")
    disallowed_schemes: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    disallowed_hosts: tuple[str, ...] = ()
    allowed_ports: tuple[int, ...] = (80, 443)
    disallowed_ports: tuple[int, ...] = ()
    conversion_format: Literal["", "qcow2", "raw", "vmdk"] = ""
    image_cache_dir: str = "image-cache"
    image_cache_max_size: int = 10 << 30
    show_multiple_locations: bool = False
    show_image_direct_url: bool = False
    do_secure_hash: bool = True
    property_protection_file: str = ""
    property_protection_rule_format: Literal["roles", "policies"] = "roles"
    strict_quotas: bool = False
    download_seconds: float = 6 * 3600.0
    free_percent: Annotated[float, msgspec.Meta(ge=0, lt=100)] = 5.0
    image_size_total: int = -1
    image_stage_total: int = -1
    image_count_total: int = -1
    image_count_uploading: int = -1


class ObjectSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``[object]``. ``allowed_digests``: of signed addresses and forms; Swift's name and default. ``account_quota_gb``:
    GiB that an account may hold to which no reseller gave a quota (0: any number). ``max_containers_per_account``:
    Swift's name (0: any number). ``free_percent``: so much of the file system stays free: beyond it nothing is taken
    in, no object, container or setting of one (0: it may be filled). ``upload_days``: after so many an
    upload of S3 in parts that nobody has finished is given up. ``s3_domain``: host name below which buckets are host
    names of their own ("": they are part of the path). ``default_policy``: of containers whose maker names none;
    "three" needs three hosts with the role ``object``. ``lost_minutes``: after so many without a word of such a host
    its copies are made elsewhere."""

    allowed_digests: tuple[Literal["sha1", "sha256", "sha512"], ...] = ("sha256", "sha512")
    account_quota_gb: Annotated[int, msgspec.Meta(ge=0)] = 100
    max_containers_per_account: Annotated[int, msgspec.Meta(ge=0)] = 10_000
    free_percent: Annotated[float, msgspec.Meta(ge=0, lt=100)] = 5.0
    upload_days: Annotated[float, msgspec.Meta(gt=0)] = 7.0
    s3_domain: str = ""
    default_policy: Literal["one", "three"] = "one"
    lost_minutes: Annotated[float, msgspec.Meta(gt=0)] = 30.0


class MetricSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``[metric]``. ``interval``: seconds between the batches that hosts send (0: nothing is measured).
    ``archive_policy``: of what the cloud measures; counters have that of the same name with ``-rate``. ``max_limit``:
    entries of a page (Gnocchi's name and default)."""

    interval: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    archive_policy: Literal["ceilometer-low", "ceilometer-medium", "ceilometer-high"] = "ceilometer-low"
    max_limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000


class AlarmSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``[alarm]``. ``project_alarm_quota``: alarms of a project (-1: any number; Aodh's name). ``allowed_hosts``: hosts
    that actions may be sent to though they are internal. ``evaluation_interval``: seconds between the rounds in which
    all alarms are evaluated, whether there are new measures or not."""

    project_alarm_quota: Annotated[int, msgspec.Meta(ge=-1)] = 1000
    allowed_hosts: tuple[str, ...] = ()
    evaluation_interval: Annotated[float, msgspec.Meta(ge=1)] = 60.0


class PrometheusSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``[prometheus]``: the operator's own. ``remote_write_url``: where all that the cloud measures is sent, with
    ``labels`` besides (which cloud it is, say); ``query_url``: whose API (below ``/api/v1``) alarms of the type
    ``prometheus`` ask. "": nowhere. Of both: ``user`` with ``password_file``, or ``token_file`` (below the state folder
    unless absolute), and the authorities of ``ca_file`` ("": the machine's).

    ``queue_mb``: of samples that wait while nobody takes them; the oldest go. ``seconds``: an answer is waited for.
    """

    remote_write_url: str = ""
    query_url: str = ""
    user: str = ""
    password_file: Path = Path()
    token_file: Path = Path()
    ca_file: Path = Path()
    labels: dict[Annotated[str, msgspec.Meta(pattern=LABEL)], str] = {}
    queue_mb: Annotated[int, msgspec.Meta(ge=1)] = 256
    seconds: Annotated[float, msgspec.Meta(ge=0.1, le=120)] = 10.0


class RatingSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``[rating]``. ``currency``: of all prices, as bills name it. ``digits``: of its smallest coin, behind the point.
    ``kept_months``: for so long it is known what was used."""

    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")] = "EUR"
    digits: Annotated[int, msgspec.Meta(ge=0, le=6)] = 2
    kept_months: Annotated[int, msgspec.Meta(ge=2, le=240)] = 25


class LimitSettings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``[limits]``: what one client may ask before anybody knows who it is, in bytes, counts and seconds.

    ``pipelined``: requests that wait behind the one that is answered. ``body_rate``: bytes a second that a body brings
    at least, told every ``body_seconds``. ``send_seconds``: how long a client may take none of its answer. ``logins``:
    requests that wait for their turn to hash a password; beyond them the answer is 503. ``anonymous_body``: bytes of a
    body that asks for no token (oslo.middleware's default for all); ``anonymous_bodies``: of all bodies together that
    have no valid token yet. ``requests_per_project``: that are under way at a time; beyond them the answer is 503.
    """

    request_line: int = 16 << 10
    header_bytes: int = 64 << 10
    headers: int = 100
    query_parameters: int = 500
    header_seconds: float = 30.0
    body_seconds: float = 30.0
    body_rate: int = 1024
    send_seconds: float = 120.0
    pipelined: int = 16
    connections: int = 4096
    connections_per_address: int = 1024
    anonymous_body: int = 112 << 10
    anonymous_bodies: int = 64 << 20
    requests_per_project: int = 256
    logins: int = 256
    logins_per_address: int = 32


class PerUser(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How many of something one user may have (-1: any number). Keystone's option, without limit there by default."""

    user_limit: int = 100


class Config(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Every setting of a cloud. Times are in seconds, sizes in the unit the name says."""

    state_dir: Path = Path(".tane")
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8770
    # What clients find the cloud under where that is not host and port: a name, or a proxy before it.
    public_url: str = ""
    # "": with the files when they are given, else with a certificate of the cloud's own authority ("auto") unless only
    # this machine is listened to ("off"). tls_ca: what clients need to trust given files, when their system does not.
    tls: Tls = ""
    tls_certificate: Path = Path()
    tls_key: Path = Path()
    tls_ca: Path = Path()
    region: str = "RegionOne"
    database_url: str = ""
    mode: Mode = "auto"
    log_level: str = "info"
    # log/tane.log begins anew at so many bytes; as many older ones are kept beside it.
    log_bytes: int = 64 << 20
    log_files: Annotated[int, msgspec.Meta(ge=1)] = 4

    handler_threads: Annotated[int, msgspec.Meta(ge=1)] = 8
    # Of their own for what hashes passwords: logins, new passwords and application credentials.
    password_threads: int = 2
    job_slots: Annotated[int, msgspec.Meta(ge=1)] = 64
    # Days for which deleted servers are kept, for usage reports, and finished jobs, for the instance actions.
    history_days: int = 90
    # Days for which events are kept, at most a million of them: who follows them from a cursor may be away so long.
    event_days: int = 7
    max_body_bytes: int = 1 << 20

    limits: LimitSettings = msgspec.field(default_factory=LimitSettings)
    # Names and addresses (with a port, where it is not ours) under which clients may find links; others than these,
    # the configured address and the one a request really came in on do not count. Networks whose X-Forwarded-* counts.
    server_names: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()

    # The audit trail: events of so many days, and so many in all (of some 700 bytes each).
    audit_days: int = 90
    audit_events: int = 2_000_000
    token_ttl: int = 3600
    allow_expired_window: int = 172_800
    receipt_ttl: int = 300
    token_key_days: int = 30
    bcrypt_rounds: int = 12
    password_verifier_ttl: int = 300
    max_redelegation_count: int = 3
    credential_auth_ttl: int = 900
    totp_previous_windows: int = 1
    # Seconds; 0 is for ever, as in Keystone's [oauth1].
    request_token_duration: int = 28_800
    access_token_duration: int = 86_400

    # Keystone's [security_compliance] options, with its defaults: all off.
    disable_user_account_days_inactive: int = 0
    lockout_failure_attempts: int = 0
    lockout_duration: int = 1800
    password_expires_days: int = 0
    unique_last_password_count: int = 0
    minimum_password_age: int = 0
    password_regex: str = ""
    password_regex_description: str = ""
    change_password_upon_first_use: bool = False

    # [credential], [application_credential], [trust] (by trustor), [access_rule].
    credential: PerUser = PerUser()
    application_credential: PerUser = PerUser()
    trust: PerUser = PerUser()
    access_rule: PerUser = PerUser(user_limit=1000)

    limit_model: LimitModel = "flat"

    image_size_limit_gb: int = 100
    image: ImageSettings = msgspec.field(default_factory=ImageSettings)
    object: ObjectSettings = msgspec.field(default_factory=ObjectSettings)
    metric: MetricSettings = msgspec.field(default_factory=MetricSettings)
    alarm: AlarmSettings = msgspec.field(default_factory=AlarmSettings)
    prometheus: PrometheusSettings = msgspec.field(default_factory=PrometheusSettings)
    rating: RatingSettings = msgspec.field(default_factory=RatingSettings)
    external_cidr: str = "auto"
    external_host_link: bool = True
    physical_networks: tuple[str, ...] = ("external",)
    # Bridges of this machine that are in networks outside, as Neutron's bridge_mappings: "physnet1:br-ex". The cloud's
    # tell which physical networks there are ("physnet1:" where only hosts are in it); each host has its own, in the
    # tane.toml of its state folder.
    bridge_mappings: tuple[Annotated[str, msgspec.Meta(pattern=BRIDGE_MAPPING)], ...] = ()
    # Whether routers are on every host that has ports of their networks, unless an administrator says otherwise of one.
    router_distributed: bool = True
    local_ip: str = ""
    # The machine's address that others use, where ``host`` is all of them; found at the start unless it is set.
    primary_address: str = ""
    global_mtu: int = 1500
    # Where agents of other machines come in, once a join token was made: an address ("": as ``host``) and a port (0:
    # the next one after ``port``).
    agents_host: str = ""
    agents_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    # The UDP port of tunnels between hosts, which learn it when they join; two clouds of one machine take two.
    vxlan_port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 4789
    # What this machine is besides the place of the API and the database: () has all servers, networks and volumes on
    # hosts that join.
    roles: tuple[Literal["compute", "network", "volume"], ...] = ("compute", "network", "volume")

    console_token_ttl: int = 600
    novnc_dir: Path = Path("/usr/share/novnc")

    cpu_allocation_ratio: float = 16.0
    ram_allocation_ratio: float = 1.5
    disk_allocation_ratio: float = 1.0
    reserved_memory_mb: int = 512
    resize_confirm_window: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Seconds after which a resize that nobody reverted is confirmed; 0: never."""
    lease_seconds: Annotated[float, msgspec.Meta(ge=5, le=3600)] = 60.0
    """How long a host that the cloud does not answer goes on with servers that may be started elsewhere (``ha:policy``
    of their flavor). Longer: they outlive a longer absence of the cloud; shorter: they are back sooner."""
    simulated_hosts: int = 1

    @property
    def bridges(self) -> dict[str, str]:
        """Physical network → this machine's bridge in it; "" where only other hosts have one."""
        return dict(mapping.split(":", 1) for mapping in self.bridge_mappings)

    @property
    def on_loopback(self) -> bool:
        """Whether this machine alone reaches the APIs."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def for_agents(self) -> tuple[str, int]:
        """The address and port at which agents of other machines come in."""
        return self.agents_host or self.host, self.agents_port or self.port + 1

    @property
    def tunnels_from(self) -> str | None:
        """The address that tunnels to other hosts start from; None where others cannot reach any."""
        if self.local_ip:
            return self.local_ip
        host, _ = self.for_agents
        if host in WILDCARDS:
            return self.primary_address or addresses.primary()
        return host if addresses.of_others(host) else None

    @property
    def encrypted(self) -> bool:
        """Whether the APIs speak TLS."""
        if self.tls:
            return self.tls != "off"
        return self.tls_certificate != Path() or not self.on_loopback

    @property
    def url(self) -> str:
        """The base under which clients reach every API."""
        if self.public_url:
            return self.public_url.rstrip("/")
        return self._at((self.primary_address or addresses.primary()) if self.host in WILDCARDS else self.host)

    @property
    def local_url(self) -> str:
        """The base under which this machine itself reaches them."""
        return self._at("127.0.0.1" if self.host in WILDCARDS else self.host)

    def _at(self, host: str) -> str:
        bracketed = f"[{host}]" if ":" in host else host
        return f"{'https' if self.encrypted else 'http'}://{bracketed}:{self.port}"

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the one database."""
        return self.database_url or f"sqlite:///{self.state_dir / 'tane.db'}"


def load(state_dir: Path, flags: dict[str, Any] | None = None) -> Config:
    """Read the settings of the cloud in ``state_dir``; later sources win over earlier ones.

    :raises ConfigError: naming the setting and what is wrong with it.
    """
    merged: dict[str, Any] = {}
    file = state_dir / "tane.toml"
    if file.exists():
        try:
            merged.update(tomllib.loads(file.read_text()))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise ConfigError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    known = set(Config.__struct_fields__)
    for name, value in os.environ.items():
        setting = name.removeprefix("TANE_").lower()
        if name.startswith("TANE_") and setting in known:
            merged[setting] = value
    merged.update({name: value for name, value in (flags or {}).items() if value is not None})
    merged["state_dir"] = str(state_dir.absolute())
    try:
        found = msgspec.convert(merged, Config, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ConfigError(f"settings ({file}, or TANE_… of the environment): {error}{_meant(str(error))}") from error
    _check_stores(found)
    _check_tls(found)
    if found.host in WILDCARDS and not found.primary_address:
        found.primary_address = addresses.primary()
        # Also for the process in the cloud's own namespace, whose addresses are others.
        os.environ["TANE_PRIMARY_ADDRESS"] = found.primary_address
    return found


def _meant(error: str) -> str:
    """The setting whose name is most like one that there is not."""
    unknown = re.search(r"unknown field `([^`]*)`", error)
    sections = [kind for kind in msgspec.structs.fields(Config) if hasattr(kind.type, "__struct_fields__")]
    names = [*Config.__struct_fields__, *(name for kind in sections for name in kind.type.__struct_fields__)]
    near = nearest(unknown[1], names) if unknown else None
    return f" (did you mean {near}?)" if near else ""


def _check_stores(config: Config) -> None:
    stores = {"local": True} | {name: store.type != "http" for name, store in config.image.stores.items()}
    if not stores.get(config.image.default_store):
        takes = ", ".join(name for name, takes_data in stores.items() if takes_data)
        raise ConfigError(f"settings: [image] default_store: no store {config.image.default_store} takes data: {takes}")


def _check_tls(config: Config) -> None:
    given = (config.tls_certificate != Path(), config.tls_key != Path())
    if any(given) != all(given):
        raise ConfigError("settings: tls_certificate and tls_key go together")
    if config.tls == "files" and not all(given):
        raise ConfigError('settings: tls = "files" needs tls_certificate and tls_key')
    if config.tls_ca != Path() and not any(given):
        raise ConfigError("settings: tls_ca belongs to tls_certificate and tls_key")
    if config.tls in ("auto", "off") and any(given):
        raise ConfigError(f'settings: tls = "{config.tls}" makes no use of tls_certificate and tls_key')


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"settings of type {kind}")
