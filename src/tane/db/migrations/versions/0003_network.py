"""Tables of network.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "network",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("external", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("mtu", sa.Integer(), nullable=False),
        sa.Column("port_security_enabled", sa.Boolean(), nullable=False),
        sa.Column("network_type", sa.String(length=16), nullable=False),
        sa.Column("physical_network", sa.String(length=64), nullable=True),
        sa.Column("segment_id", sa.Integer(), nullable=False),
        sa.Column("dns_domain", sa.String(length=255), nullable=False),
        sa.Column("availability_zone_hints", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network")),
        sa.UniqueConstraint("segment_id", name=op.f("uq_network_segment_id")),
    )
    op.create_index(op.f("ix_network_project_id"), "network", ["project_id"], unique=False)
    op.create_table(
        "network_agent",
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("host_id", name=op.f("pk_network_agent")),
    )
    op.create_table(
        "network_host",
        sa.Column("host_id", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("host_id", name=op.f("pk_network_host")),
    )
    op.create_table(
        "network_revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_revision")),
    )
    op.create_table(
        "resource_tag",
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("resource_id", "tag", name=op.f("pk_resource_tag")),
    )
    op.create_table(
        "security_group",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_group")),
    )
    op.create_index(op.f("ix_security_group_project_id"), "security_group", ["project_id"], unique=False)
    op.create_table(
        "subnet_pool",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("prefixes", sa.JSON(), nullable=False),
        sa.Column("ip_version", sa.Integer(), nullable=False),
        sa.Column("min_prefixlen", sa.Integer(), nullable=False),
        sa.Column("max_prefixlen", sa.Integer(), nullable=False),
        sa.Column("default_prefixlen", sa.Integer(), nullable=False),
        sa.Column("default_quota", sa.Integer(), nullable=True),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnet_pool")),
    )
    op.create_index(op.f("ix_subnet_pool_project_id"), "subnet_pool", ["project_id"], unique=False)
    op.create_table(
        "port",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("mac_address", sa.String(length=32), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("device_id", sa.String(length=255), nullable=False),
        sa.Column("device_owner", sa.String(length=255), nullable=False),
        sa.Column("device_order", sa.Integer(), nullable=False),
        sa.Column("made_for_server", sa.Boolean(), nullable=False),
        sa.Column("host_id", sa.String(length=36), nullable=True),
        sa.Column("binding_host", sa.String(length=255), nullable=False),
        sa.Column("binding_profile", sa.JSON(), nullable=False),
        sa.Column("vnic_type", sa.String(length=64), nullable=False),
        sa.Column("port_security_enabled", sa.Boolean(), nullable=False),
        sa.Column("allowed_address_pairs", sa.JSON(), nullable=False),
        sa.Column("dns_name", sa.String(length=255), nullable=False),
        sa.Column("dns_domain", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_port_network_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_port")),
        sa.UniqueConstraint("network_id", "mac_address", name=op.f("uq_port_network_id_mac_address")),
    )
    op.create_index(op.f("ix_port_device_id"), "port", ["device_id"], unique=False)
    op.create_index(op.f("ix_port_host_id"), "port", ["host_id"], unique=False)
    op.create_index(op.f("ix_port_network_id"), "port", ["network_id"], unique=False)
    op.create_index(op.f("ix_port_project_id"), "port", ["project_id"], unique=False)
    op.create_table(
        "security_group_rule",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("security_group_id", sa.String(length=36), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("ethertype", sa.String(length=8), nullable=False),
        sa.Column("protocol", sa.String(length=32), nullable=True),
        sa.Column("port_range_min", sa.Integer(), nullable=True),
        sa.Column("port_range_max", sa.Integer(), nullable=True),
        sa.Column("remote_ip_prefix", sa.String(length=64), nullable=True),
        sa.Column("remote_group_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["remote_group_id"],
            ["security_group.id"],
            name=op.f("fk_security_group_rule_remote_group_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["security_group_id"],
            ["security_group.id"],
            name=op.f("fk_security_group_rule_security_group_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_group_rule")),
    )
    op.create_index(op.f("ix_security_group_rule_project_id"), "security_group_rule", ["project_id"], unique=False)
    op.create_index(
        op.f("ix_security_group_rule_remote_group_id"), "security_group_rule", ["remote_group_id"], unique=False
    )
    op.create_index(
        op.f("ix_security_group_rule_security_group_id"), "security_group_rule", ["security_group_id"], unique=False
    )
    op.create_table(
        "subnet",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("subnetpool_id", sa.String(length=36), nullable=True),
        sa.Column("ip_version", sa.Integer(), nullable=False),
        sa.Column("cidr", sa.String(length=64), nullable=False),
        sa.Column("gateway_ip", sa.String(length=64), nullable=True),
        sa.Column("enable_dhcp", sa.Boolean(), nullable=False),
        sa.Column("ipv6_ra_mode", sa.String(length=16), nullable=True),
        sa.Column("ipv6_address_mode", sa.String(length=16), nullable=True),
        sa.Column("dns_nameservers", sa.JSON(), nullable=False),
        sa.Column("host_routes", sa.JSON(), nullable=False),
        sa.Column("service_types", sa.JSON(), nullable=False),
        sa.Column("allocation_pools", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_subnet_network_id")),
        sa.ForeignKeyConstraint(["subnetpool_id"], ["subnet_pool.id"], name=op.f("fk_subnet_subnetpool_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnet")),
    )
    op.create_index(op.f("ix_subnet_network_id"), "subnet", ["network_id"], unique=False)
    op.create_index(op.f("ix_subnet_project_id"), "subnet", ["project_id"], unique=False)
    op.create_index(op.f("ix_subnet_subnetpool_id"), "subnet", ["subnetpool_id"], unique=False)
    op.create_table(
        "port_address",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("ip_address", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["port_id"], ["port.id"], name=op.f("fk_port_address_port_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subnet_id"], ["subnet.id"], name=op.f("fk_port_address_subnet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_port_address")),
        sa.UniqueConstraint("subnet_id", "ip_address", name=op.f("uq_port_address_subnet_id_ip_address")),
    )
    op.create_index("ix_port_address_ip", "port_address", ["ip_address"], unique=False)
    op.create_index(op.f("ix_port_address_port_id"), "port_address", ["port_id"], unique=False)
    op.create_index("ix_port_address_position", "port_address", ["subnet_id", "position"], unique=False)
    op.create_table(
        "port_security_group",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("security_group_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["port_id"], ["port.id"], name=op.f("fk_port_security_group_port_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["security_group_id"], ["security_group.id"], name=op.f("fk_port_security_group_security_group_id")
        ),
        sa.PrimaryKeyConstraint("port_id", "security_group_id", name=op.f("pk_port_security_group")),
    )
    op.create_index(
        op.f("ix_port_security_group_security_group_id"), "port_security_group", ["security_group_id"], unique=False
    )
    op.create_table(
        "router",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("gateway_port_id", sa.String(length=36), nullable=True),
        sa.Column("enable_snat", sa.Boolean(), nullable=False),
        sa.Column("routes", sa.JSON(), nullable=False),
        sa.Column("availability_zone_hints", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["gateway_port_id"], ["port.id"], name=op.f("fk_router_gateway_port_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_router")),
    )
    op.create_index(op.f("ix_router_gateway_port_id"), "router", ["gateway_port_id"], unique=False)
    op.create_index(op.f("ix_router_project_id"), "router", ["project_id"], unique=False)
    op.create_table(
        "floating_ip",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("floating_network_id", sa.String(length=36), nullable=False),
        sa.Column("floating_ip_address", sa.String(length=64), nullable=False),
        sa.Column("floating_port_id", sa.String(length=36), nullable=False),
        sa.Column("fixed_port_id", sa.String(length=36), nullable=True),
        sa.Column("fixed_ip_address", sa.String(length=64), nullable=True),
        sa.Column("router_id", sa.String(length=36), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("forwarded", sa.String(length=64), nullable=True),
        sa.Column("dns_name", sa.String(length=255), nullable=False),
        sa.Column("dns_domain", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["fixed_port_id"], ["port.id"], name=op.f("fk_floating_ip_fixed_port_id")),
        sa.ForeignKeyConstraint(
            ["floating_network_id"], ["network.id"], name=op.f("fk_floating_ip_floating_network_id")
        ),
        sa.ForeignKeyConstraint(["floating_port_id"], ["port.id"], name=op.f("fk_floating_ip_floating_port_id")),
        sa.ForeignKeyConstraint(["router_id"], ["router.id"], name=op.f("fk_floating_ip_router_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_floating_ip")),
        sa.UniqueConstraint("floating_network_id", "fixed_port_id", "fixed_ip_address", name="uq_floating_ip_fixed"),
    )
    op.create_index(op.f("ix_floating_ip_fixed_port_id"), "floating_ip", ["fixed_port_id"], unique=False)
    op.create_index(op.f("ix_floating_ip_floating_ip_address"), "floating_ip", ["floating_ip_address"], unique=False)
    op.create_index(op.f("ix_floating_ip_project_id"), "floating_ip", ["project_id"], unique=False)
    op.create_index(op.f("ix_floating_ip_router_id"), "floating_ip", ["router_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_floating_ip_router_id"), table_name="floating_ip")
    op.drop_index(op.f("ix_floating_ip_project_id"), table_name="floating_ip")
    op.drop_index(op.f("ix_floating_ip_floating_ip_address"), table_name="floating_ip")
    op.drop_index(op.f("ix_floating_ip_fixed_port_id"), table_name="floating_ip")
    op.drop_table("floating_ip")
    op.drop_index(op.f("ix_router_project_id"), table_name="router")
    op.drop_index(op.f("ix_router_gateway_port_id"), table_name="router")
    op.drop_table("router")
    op.drop_index(op.f("ix_port_security_group_security_group_id"), table_name="port_security_group")
    op.drop_table("port_security_group")
    op.drop_index("ix_port_address_position", table_name="port_address")
    op.drop_index(op.f("ix_port_address_port_id"), table_name="port_address")
    op.drop_index("ix_port_address_ip", table_name="port_address")
    op.drop_table("port_address")
    op.drop_index(op.f("ix_subnet_subnetpool_id"), table_name="subnet")
    op.drop_index(op.f("ix_subnet_project_id"), table_name="subnet")
    op.drop_index(op.f("ix_subnet_network_id"), table_name="subnet")
    op.drop_table("subnet")
    op.drop_index(op.f("ix_security_group_rule_security_group_id"), table_name="security_group_rule")
    op.drop_index(op.f("ix_security_group_rule_remote_group_id"), table_name="security_group_rule")
    op.drop_index(op.f("ix_security_group_rule_project_id"), table_name="security_group_rule")
    op.drop_table("security_group_rule")
    op.drop_index(op.f("ix_port_project_id"), table_name="port")
    op.drop_index(op.f("ix_port_network_id"), table_name="port")
    op.drop_index(op.f("ix_port_host_id"), table_name="port")
    op.drop_index(op.f("ix_port_device_id"), table_name="port")
    op.drop_table("port")
    op.drop_index(op.f("ix_subnet_pool_project_id"), table_name="subnet_pool")
    op.drop_table("subnet_pool")
    op.drop_index(op.f("ix_security_group_project_id"), table_name="security_group")
    op.drop_table("security_group")
    op.drop_table("resource_tag")
    op.drop_table("network_revision")
    op.drop_table("network_host")
    op.drop_table("network_agent")
    op.drop_index(op.f("ix_network_project_id"), table_name="network")
    op.drop_table("network")
