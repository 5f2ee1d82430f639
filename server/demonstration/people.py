"""Who works at the two agencies of the demonstration, and when they were assigned to which mailbox.

Days are days before now, at nine in the office where no time is said. The periods make the situations that
docs/rule.md explains; whoever moves one moves a line there, and the tests say which.
"""

from dataclasses import dataclass
from typing import Final

NORDLICHT: Final = "nordlicht"
ALSTER: Final = "alster"

# Shown by `postfach demo` and in the documentation: the demonstration's people are invented.
DEMO_PASSWORD: Final = "Leuchtturm-am-Haff"  # noqa: S105

ACCOUNT_MANAGER_CONTACT: Final = {"name": "Jo Kern", "email": "kern@provider.example", "phone": None}


@dataclass(frozen=True, slots=True)
class Person:
    """A user of an agency; `levels` are the read levels for activities and for agents-log entries."""

    login: str
    first: str
    last: str
    levels: tuple[str, str]
    groups: tuple[str, ...] = ()
    role: str = "USER"
    state: str = "ACTIVE"
    gender: str = "f"
    email: str | None = None
    email_name: str | None = None
    language: str = "de"
    # Since when (days before now) a locked user has not been at work; what the state alone does not tell.
    absent: int = 0

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox; `desk` is what its letters are signed with."""

    address: str
    email_name: str | None = None
    vip: bool = False
    active: bool = True
    automatic: bool = False
    desk: str = "Nordlicht Immobilien"


@dataclass(frozen=True, slots=True)
class Stay:
    """A period of `person` (the login before the @) at a mailbox; `until` None is one that lasts."""

    box: str
    person: str
    since: str
    until: str | None = None


SALES: Final = "Verkauf"
LETTING: Final = "Vermietung"
MANAGEMENT: Final = "Hausverwaltung"

_N: Final = "nordlicht.example"
_H: Final = "nordlicht-hausverwaltung.example"
_A: Final = "alster.example"

PEOPLE: Final = {
    NORDLICHT: (
        Person(
            f"anna@{_N}",
            "Anna",
            "Petersen",
            ("ALL", "ALL"),
            role="ADMINISTRATOR",
            email="anna@home.example",
            email_name="Anna Petersen",
        ),
        Person(
            f"chef@{_N}",
            "Henrik",
            "Carstens",
            ("ALL", "ALL"),
            gender="m",
            email="henrik.carstens@briefpost.example",
            email_name="Henrik Carstens",
        ),
        Person(
            f"birte@{_N}",
            "Birte",
            "Hansen",
            ("OWN", "OWN"),
            (LETTING,),
            email="birte.hansen@mailhafen.example",
            email_name="Birte Hansen",
        ),
        Person(
            f"mira@{_N}",
            "Mira",
            "Kaya",
            ("OWN", "NOTHING"),
            email="mira.kaya@fernpost.example",
            email_name="Mira Kaya",
        ),
        Person(
            f"greta@{_N}",
            "Greta",
            "Michaelsen",
            ("NOTHING", "NOTHING"),
            email="greta.michaelsen@web.example",
            email_name="Greta Michaelsen",
        ),
        Person(
            f"jonas@{_N}",
            "Jonas",
            "Brandt",
            ("ALL", "ALL"),
            (SALES,),
            gender="m",
            email="jonas.brandt@postkorb.example",
            email_name="Jonas Brandt, Nordlicht Immobilien",
        ),
        Person(
            f"svenja@{_N}",
            "Svenja",
            "Clausen",
            ("OFFICE_GROUP", "OFFICE_GROUP"),
            (SALES,),
            email="svenja.clausen@briefpost.example",
            email_name="Svenja Clausen",
        ),
        Person(
            f"emre@{_N}",
            "Emre",
            "Aydin",
            ("OWN", "ALL"),
            (SALES,),
            gender="m",
            email="emre.aydin@mailhafen.example",
            language="en",
        ),
        Person(
            f"rolf@{_N}",
            "Rolf",
            "Dietrichs",
            ("OFFICE_GROUP", "OFFICE_GROUP"),
            (SALES,),
            state="LOCKED",
            gender="m",
            email_name="Rolf Dietrichs",
            absent=25,
        ),
        Person(
            f"lena@{_N}",
            "Lena",
            "Fiedler",
            ("OFFICE_GROUP", "NOTHING"),
            (LETTING,),
            email="lena.fiedler@fernpost.example",
            email_name="Lena Fiedler",
        ),
        Person(
            f"tobias@{_N}",
            "Tobias",
            "Wulff",
            ("OWN", "OFFICE_GROUP"),
            (LETTING, MANAGEMENT),
            gender="m",
            email="tobias.wulff@web.example",
        ),
        Person(
            f"malte@{_H}",
            "Malte",
            "Thomsen",
            ("OFFICE_GROUP", "OFFICE_GROUP"),
            (MANAGEMENT,),
            gender="m",
            email_name="Malte Thomsen (Hausverwaltung)",
        ),
        Person(
            f"doerte@{_N}",
            "Dörte",
            "Ehlers",
            ("OWN", "NOTHING"),
            email="doerte.ehlers@briefpost.example",
            email_name="Dörte Ehlers",
        ),
        Person(
            f"katja@{_N}",
            "Katja",
            "Sommer",
            ("ALL", "ALL"),
            state="DEACTIVATED",
            email="k.sommer@briefpost.example",
            email_name="Katja Sommer",
        ),
    ),
    ALSTER: (
        Person(
            f"paula@{_A}",
            "Paula",
            "Reuter",
            ("ALL", "ALL"),
            role="ADMINISTRATOR",
            email="paula.reuter@postkorb.example",
            email_name="Paula Reuter",
        ),
        Person(f"ingrid@{_A}", "Ingrid", "Alsen", ("ALL", "ALL"), email_name="Ingrid Alsen"),
        Person(f"sami@{_A}", "Sami", "Boulahrouz", ("OWN", "OWN"), gender="m", language="en"),
    ),
}

BOXES: Final = {
    NORDLICHT: (
        Box(f"info@{_N}", "Nordlicht Immobilien", automatic=True),
        Box(f"verkauf@{_N}", "Nordlicht Immobilien, Verkauf", desk="Nordlicht Immobilien · Verkauf"),
        Box(f"vermietung@{_N}", "Nordlicht Immobilien, Vermietung", desk="Nordlicht Immobilien · Vermietung"),
        Box(f"verwaltung@{_H}", "Nordlicht Hausverwaltung", automatic=True, desk="Nordlicht Hausverwaltung"),
        Box(f"buchhaltung@{_N}", "Nordlicht Buchhaltung"),
        Box(f"messe@{_N}", "Nordlicht auf der Messe", active=False),
        Box(f"chef@{_N}", vip=True, automatic=True),
        Box(f"personal@{_N}", vip=True),
        Box(f"bewerbung@{_N}", "Nordlicht Karriere", vip=True),
        Box(f"anna@{_N}"),
        Box(f"jonas@{_N}", desk="Nordlicht Immobilien · Verkauf"),
        Box(f"svenja@{_N}", desk="Nordlicht Immobilien · Verkauf"),
        Box(f"emre@{_N}", desk="Nordlicht Immobilien · Verkauf"),
        Box(f"rolf@{_N}", desk="Nordlicht Immobilien · Verkauf"),
        Box(f"lena@{_N}", desk="Nordlicht Immobilien · Vermietung"),
        Box(f"tobias@{_N}", desk="Nordlicht Immobilien · Vermietung"),
        Box(f"birte@{_N}", desk="Nordlicht Immobilien · Vermietung"),
        Box(f"malte@{_H}", desk="Nordlicht Hausverwaltung"),
        Box(f"mira@{_N}"),
        Box(f"greta@{_N}"),
        Box(f"doerte@{_N}"),
        Box(f"katja@{_N}"),
    ),
    ALSTER: (
        Box(f"info@{_A}", "Alster Wohnwerk", desk="Alster Wohnwerk"),
        Box(f"leitung@{_A}", vip=True, desk="Alster Wohnwerk"),
        Box(f"sami@{_A}", desk="Alster Wohnwerk"),
    ),
}

# The hour at which Birte left the boss's mailbox and Mira came to it.
HANDOVER: Final = "92 09:00"

STAYS: Final = (
    Stay("chef@", "chef", "900 09:00"),
    Stay("chef@", "birte", "640 09:00", HANDOVER),
    Stay("chef@", "mira", HANDOVER),
    Stay("chef@", "greta", "210 08:00", "196 18:00"),
    Stay("chef@", "greta", "24 08:00"),
    Stay("personal@", "chef", "900 09:00"),
    Stay("personal@", "katja", "800 09:00", "200 17:00"),
    Stay("personal@", "doerte", "205 09:00"),
    Stay("bewerbung@", "katja", "800 09:00", "200 17:00"),
    Stay("bewerbung@", "doerte", "205 09:00"),
    Stay("bewerbung@", "svenja", "150 08:00", "95 12:00"),
    Stay("info@", "anna", "900 09:00"),
    Stay("info@", "katja", "800 09:00", "340 09:00"),
    Stay("info@", "svenja", "500 09:00", "420 09:00"),
    Stay("info@", "svenja", "260 09:00", "130 09:00"),
    Stay("info@", "greta", "330 08:00"),
    Stay("verkauf@", "rolf", "900 09:00"),
    Stay("verkauf@", "svenja", "800 09:00"),
    Stay("verkauf@", "jonas", "700 09:00"),
    Stay("verkauf@", "emre", "400 09:00"),
    Stay("verkauf@", "lena", "300 09:00", "60 09:00"),
    Stay("vermietung@", "lena", "700 09:00"),
    Stay("vermietung@", "tobias", "650 09:00", "310 12:00"),
    Stay("vermietung@", "tobias", "180 08:00"),
    Stay("vermietung@", "birte", HANDOVER),
    Stay("verwaltung@", "malte", "900 09:00"),
    Stay("verwaltung@", "tobias", "170 09:00", "140 09:00"),
    Stay("verwaltung@", "tobias", "70 09:00"),
    Stay("buchhaltung@", "katja", "800 09:00", "200 17:00"),
    Stay("buchhaltung@", "malte", "400 09:00"),
    Stay("buchhaltung@", "doerte", "205 09:00"),
    Stay("messe@", "emre", "300 09:00", "150 09:00"),
    Stay("messe@", "svenja", "300 09:00"),
    Stay("anna@", "anna", "900 09:00"),
    Stay("jonas@", "jonas", "700 09:00"),
    Stay("svenja@", "svenja", "800 09:00"),
    Stay("emre@", "emre", "400 09:00"),
    Stay("rolf@", "rolf", "900 09:00"),
    Stay("rolf@", "emre", "25 08:00"),
    Stay("lena@", "lena", "700 09:00"),
    Stay("tobias@", "tobias", "650 09:00", "310 12:00"),
    Stay("tobias@", "lena", "310 08:00", "180 08:00"),
    Stay("tobias@", "tobias", "180 08:00"),
    Stay("birte@", "birte", "640 09:00"),
    Stay("malte@", "malte", "900 09:00"),
    Stay("mira@", "mira", "93 09:00"),
    Stay("greta@", "greta", "330 08:00"),
    Stay("doerte@", "doerte", "205 09:00"),
    Stay("katja@", "katja", "800 09:00", "200 17:00"),
    Stay("katja@", "doerte", "200 17:00"),
    Stay(f"info@{_A}", "paula", "600 09:00"),
    Stay(f"info@{_A}", "sami", "350 09:00"),
    Stay(f"leitung@{_A}", "ingrid", "600 09:00"),
    Stay(f"sami@{_A}", "sami", "350 09:00"),
)
