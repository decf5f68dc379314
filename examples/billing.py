from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

VAT = {"DE": Decimal("0.19"), "FR": Decimal("0.20"), "CH": Decimal("0.081")}
CENT = Decimal("0.01")


class BillingError(Exception):
    pass


@dataclass(frozen=True)
class Line:
    text: str
    quantity: Decimal
    unit_price: Decimal

    @property
    def net(self):
        return (self.quantity * self.unit_price).quantize(CENT, ROUND_HALF_UP)


@dataclass
class Invoice:
    number: str
    customer: str
    country: str
    issued: date
    lines: list[Line] = field(default_factory=list)
    vat_id: str | None = None
    paid: Decimal = Decimal("0.00")

    def add(self, text, unit_price, quantity=1):
        if Decimal(quantity) <= 0:
            raise BillingError("quantity must be positive")
        self.lines.append(Line(text, Decimal(quantity), Decimal(unit_price)))

    @property
    def net(self):
        return sum((line.net for line in self.lines), Decimal("0.00"))

    @property
    def vat(self):
        if self.vat_id and self.country != "DE":
            return Decimal("0.00")
        if self.country not in VAT:
            raise BillingError(f"no VAT rate for {self.country}")
        return (self.net * VAT[self.country]).quantize(CENT, ROUND_HALF_UP)

    @property
    def total(self):
        return self.net + self.vat

    @property
    def due(self):
        return self.issued + timedelta(days=14 if self.country == "DE" else 30)

    def pay(self, amount):
        amount = Decimal(amount)
        if amount > self.total - self.paid:
            raise BillingError("more than is owed")
        self.paid += amount
        return self.total - self.paid


def reminder_level(invoice, today=None):
    if invoice.paid >= invoice.total:
        return 0
    late = ((today or date.today()) - invoice.due).days
    return 0 if late <= 0 else min(3, 1 + late // 10)
