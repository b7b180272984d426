"""The regions that Spotify has charts of, by the codes in their names (ISO 3166-1 alpha-2, and `global`)."""

from __future__ import annotations

REGIONS = {
    "global": "Global", "ad": "Andorra", "ae": "United Arab Emirates", "ar": "Argentina", "at": "Austria",
    "au": "Australia", "be": "Belgium", "bg": "Bulgaria", "bo": "Bolivia", "br": "Brazil", "by": "Belarus",
    "ca": "Canada", "ch": "Switzerland", "cl": "Chile", "co": "Colombia", "cr": "Costa Rica", "cy": "Cyprus",
    "cz": "Czech Republic", "de": "Germany", "dk": "Denmark", "do": "Dominican Republic", "ec": "Ecuador",
    "ee": "Estonia", "eg": "Egypt", "es": "Spain", "fi": "Finland", "fr": "France", "gb": "United Kingdom",
    "gr": "Greece", "gt": "Guatemala", "hk": "Hong Kong", "hn": "Honduras", "hu": "Hungary", "id": "Indonesia",
    "ie": "Ireland", "il": "Israel", "in": "India", "is": "Iceland", "it": "Italy", "jp": "Japan",
    "kr": "South Korea", "kz": "Kazakhstan", "lt": "Lithuania", "lu": "Luxembourg", "lv": "Latvia", "ma": "Morocco",
    "mx": "Mexico", "my": "Malaysia", "ng": "Nigeria", "ni": "Nicaragua", "nl": "Netherlands", "no": "Norway",
    "nz": "New Zealand", "pa": "Panama", "pe": "Peru", "ph": "Philippines", "pk": "Pakistan", "pl": "Poland",
    "pt": "Portugal", "py": "Paraguay", "ro": "Romania", "sa": "Saudi Arabia", "se": "Sweden", "sg": "Singapore",
    "sk": "Slovakia", "sv": "El Salvador", "th": "Thailand", "tr": "Turkey", "tw": "Taiwan", "ua": "Ukraine",
    "us": "United States", "uy": "Uruguay", "ve": "Venezuela", "vn": "Vietnam", "za": "South Africa",
}  # fmt: skip
