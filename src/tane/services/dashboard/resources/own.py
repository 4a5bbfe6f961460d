"""What a user holds to be known by: the account itself, keys of EC2, passcodes."""

from __future__ import annotations

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind
from tane.services.dashboard.domain.messages import N_

SECTION = N_("Access")
SEED = '"$(head -c 20 /dev/urandom | base32)"'
"""As many random bytes as the portal makes a secret of."""

KINDS = (
    Kind(
        "account",
        N_("My account"),
        N_("Account"),
        SECTION,
        "identity GET /v3/users/{user}",
        "",
        (
            Column("name", N_("Name"), "name"),
            Column("description", N_("Description")),
            Column("domain_id", N_("Domain"), "code"),
            Column("password_expires_at", N_("The password expires"), "time"),
        ),
        "identity GET /v3/users/{id}",
        "user",
        paged=False,
        spread=lambda answer: [answer["user"]],
        command="openstack user show {user}",
        details=(
            Column("name", N_("Name")),
            Column("description", N_("Description")),
            Column("domain_id", N_("Domain"), "code"),
            Column("password_expires_at", N_("The password expires"), "time"),
            Column("options/multi_factor_auth_enabled", N_("A passcode is asked for"), "bool"),
            Column("id", N_("ID"), "code"),
        ),
        actions=(
            Action(
                "password",
                N_("Change the password"),
                "identity POST /v3/users/{user}/password",
                "user",
                back="list",
                help=N_("All sessions and tokens of yours end, this one, too: log in with the new password then."),
                fields=(
                    Field(
                        "original_password",
                        N_("Password as it is"),
                        "password",
                        required=True,
                        option="--original-password",
                    ),
                    Field("password", N_("New password"), "password", required=True, option="--password"),
                ),
                command="openstack user password set",
            ),
        ),
    ),
    Kind(
        "ec2-keys",
        N_("EC2 and S3 keys"),
        N_("EC2 key"),
        SECTION,
        "identity GET /v3/users/{user}/credentials/OS-EC2",
        "credentials",
        (Column("access", N_("Access key"), "code"), Column("tenant_id", N_("Project"), "code")),
        id="access",
        label="access",
        paged=False,
        command="openstack ec2 credentials list",
        empty=N_("No keys yet. Programs that speak S3 or EC2 sign with one."),
        create=Action(
            "create",
            N_("Create a key"),
            "identity POST /v3/users/{user}/credentials/OS-EC2",
            special="ec2",
            secret=N_("Keep this secret now: it is shown once."),
            help=N_("It is for this project."),
            command="openstack ec2 credentials create",
        ),
        actions=(
            Action(
                "delete",
                N_("Delete"),
                "identity DELETE /v3/users/{user}/credentials/OS-EC2/{id}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack ec2 credentials delete {id}",
            ),
        ),
    ),
    Kind(
        "passcodes",
        N_("Passcodes"),
        N_("Passcode"),
        SECTION,
        "identity GET /v3/credentials",
        "credentials",
        (Column("id", N_("ID"), "code"),),
        label="id",
        query={"type": "totp", "user_id": "{user}"},
        paged=False,
        command="openstack credential list --type totp",
        empty=N_("None yet. An app of your phone tells a passcode of six digits that the login asks for."),
        create=Action(
            "create",
            N_("Set up passcodes"),
            "identity POST /v3/credentials",
            "credential",
            special="passcode",
            secret=N_("Give your app this secret or address now: it is shown once."),
            help=N_("The login asks for passcodes once an administrator has set that for your account."),
            command=f"openstack credential create --type totp {{user}} {SEED}",
        ),
        actions=(
            Action(
                "delete",
                N_("Delete"),
                "identity DELETE /v3/credentials/{id}",
                danger=True,
                bulk=True,
                back="list",
                command="openstack credential delete {id}",
            ),
        ),
    ),
)
