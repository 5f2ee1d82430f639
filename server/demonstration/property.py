"""The properties of the demonstration, and how German speaks of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from server.demonstration import texts


@dataclass(frozen=True, slots=True)
class Property:
    """A flat, a house, a building; `price` is in euros, of a rented one the cold rent of a month."""

    reference: str
    use: str
    article: str
    what: str
    street: str
    where: str
    area: int
    rooms: int
    price: int
    built: int

    def words(self, chance: Random) -> Mapping[str, object]:
        """Give the placeholders of the texts; the bid is a little below the price."""
        dative = "der" if self.article == "die" else "dem"
        bid = round(self.price * chance.uniform(0.93, 1.0) / 500) * 500
        return {
            "number": self.reference,
            "home": f"{self.article} {self.what}",
            "Home": f"{self.article.capitalize()} {self.what}",
            "home_dat": f"{dative} {self.what}",
            "title": f"{self.what}, {self.street}",
            "street": self.street,
            "in_street": self._in_street(),
            "where": self.where,
            "area": f"{self.area} m²",
            "price": euros(self.price),
            "bid": euros(bid),
            "rent": euros(self.price),
            "extras": euros(round(self.area * chance.uniform(2.4, 3.6) / 5) * 5),
            "deposit": euros(3 * self.price),
            "built": str(self.built),
        }

    def _in_street(self) -> str:
        name = self.street.rstrip("0123456789b ")
        if name.endswith("brink"):
            return f"am {self.street}"
        is_feminine = name.lower().endswith(("straße", "zeile", "gasse", "allee", "promenade"))
        return f"in der {self.street}" if is_feminine else f"im {self.street}"


def euros(amount: int) -> str:
    """Write an amount as Germans do: 1.390.000 €."""
    return f"{amount:,} €".replace(",", ".")


def properties() -> dict[str, Property]:
    """Read the table of properties, by reference."""
    return {row[0]: _property(row) for row in texts.table("properties.txt")}


def _property(row: list[str]) -> Property:
    reference, use, article, what, street, where, *numbers = row
    area, rooms, price, built = (int(number) for number in numbers)
    return Property(reference, use, article, what, street, where, area, rooms, price, built)
