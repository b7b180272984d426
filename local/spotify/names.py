"""Made-up names of artists, songs, albums and labels.

They are built from word lists, so a likeness to a real artist is chance. On purpose some hold what breaks naive
readers of charts: commas (an artist credit joined with ", " cannot be split again), letters outside ASCII, quotes.
"""

from __future__ import annotations

from local.spotify.draws import Part, normal, pick, uniform


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Written out where word lists would not give the awkward case; the artists of these places are well-known ones.
_SPECIAL_ARTISTS = {
    3: ("Marlowe, The Cartographer", "en"),
    7: ("Ynés Calderómar", "es"),
    11: ("Møns & Dølgard", "en"),
    16: ("Quill, Ember & Oak", "en"),
    20: ("青嶺ハルノ", "ja"),
    27: ("Zoë Ferreÿo", "fr"),
    34: ('Otis "Lantern" Brakeby', "en"),
    41: ("Нира Вольнова", "en"),
    48: ("Los Cometas de Ñandal", "es"),
    62: ("하린누리", "en"),
    90: ("DJ Söderklang", "en"),
    120: ("Ağaçlı Yıldıray", "en"),
}
_GIVEN = _words(
    "Ivo Maren Tolu Sanne Niko Aylin Brunel Lior Zadie Emeka Yuna Rafiq Odile Kasper Imani Teodor Priya Anouk Davi "
    "Selmi Joss Wilhe Corin Thandi"
)
_FAMILY = _words(
    "Caldermoor Okafane Lindqvar Marenco Valebright Tanashi Ostrowin Bexlow Duarrane Novikar Sableford Ferreyo "
    "Quillon Adeyande Kestrelle Moreau-Lys Hartigson Solanero Brandt-Ito Wynnfield Amsbury Pellane Rookwood Yarrowin"
)
_ADJECTIVE = _words(
    "Paper Velvet Silver Quiet Golden Electric Hollow Crimson Northern Midnight Wild Amber Broken Distant Coral Lunar "
    "Gentle Burning Frozen Sudden"
)
_GROUP = _words(
    "Harbours Lanterns Foxes Cinemas Orchards Satellites Avenues Tigers Meridians Parades Thieves Monsoons Canyons "
    "Atlases Pilots Embers Swimmers Radios Gardens Statics"
)
_TITLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        ("Leave", "Find", "Hold", "Call", "Lose", "Carry", "Keep", "Burn", "Chase", "Forget", "Paint", "Borrow"),
        (
            "the Light", "Me Slowly", "Your Name", "the Summer", "It Down", "the Last Train", "a Little Longer",
            "My Shadow", "the Tide", "Every Window", "Saltwater", "Gravity", "the Afterglow", "Vertigo",
        ),
    ),
    "es": (
        ("Corazón", "Noche", "Mañana", "Canción", "Lluvia", "Verano", "Ceniza", "Señal", "Luna"),
        ("de Papel", "sin Ti", "del Sur", "en Silencio", "de Neón", "a Medias", "que Arde", "de Enero"),
    ),
    "fr": (
        ("Été", "Minuit", "Ma Rivière", "L’Écho", "Lumière", "Forêt", "Le Goût", "Dernière Fête"),
        ("sans Fin", "à Deux", "d’Hiver", "en Cendres", "des Étoiles", "après Toi", "qui Danse"),
    ),
    "ja": (
        ("夜の", "硝子の", "遠い", "青い", "最後の", "静かな"),
        ("海岸線", "ラジオ", "約束", "坂道", "花火", "手紙", "信号"),
    ),
}  # fmt: skip
_FEELINGS = _words(
    "Afterglow Gravity Saltwater Honeymoon Overdrive Daydream Vertigo Wildfire Paperweight Undertow Heartline Slowburn "
    "Parallel Mirage Driftwood Moonrise"
)
_ALBUM_FORM = ("Season", "Theory", "Hotel", "Nights", "Line", "(Again)", "Almanac", "in Colour")
_WINTER = (
    "Snow on the",
    "Candles for the",
    "Bells over the",
    "Home by the",
    "Winter with the",
    "Sleigh Ride to the",
)
_LABEL = (
    "Lantern",
    "Tidewater",
    "Halfmoon",
    "Copperfield Lane",
    "Northgate",
    "Paper Kite",
    "Glasshouse",
    "Ninth Floor",
)
_LABEL_FORM = ("Records", "Music", "Recordings", "Sound, Ltd.")


def artist_name(seed: str, index: int) -> tuple[str, str]:
    """The name of the artist at a place, never given twice, and the language of their titles: en, es, fr or ja."""
    if index in _SPECIAL_ARTISTS:
        return _SPECIAL_ARTISTS[index]
    tongue = "es" if uniform(seed, "tongue", index) < 0.15 else "en"
    # 7 and 11 share no factor with the lists' lengths, so each index below 480 meets its own pair of words.
    if uniform(seed, "solo", index) < 0.6:
        given, family = (
            _GIVEN[index * 7 % len(_GIVEN)],
            _FAMILY[(index * 11 + index // len(_GIVEN)) % len(_FAMILY)],
        )
        return f"{given} {family}", tongue
    first, last = (
        _ADJECTIVE[index * 11 % len(_ADJECTIVE)],
        _GROUP[(index * 3 + index // len(_ADJECTIVE)) % len(_GROUP)],
    )
    return f"{first} {last}", tongue


def song_title(seed: str, tongue: str, *parts: Part) -> str:
    """A title; the same one may come again, as titles do."""
    shape = uniform(seed, "title", *parts)
    if tongue == "en" and shape < 0.35:
        return f"{pick(_ADJECTIVE, seed, 'adjective', *parts)} {pick(_FEELINGS, seed, 'feeling', *parts)}"
    starts, ends = _TITLES[tongue]
    joint = "" if tongue == "ja" else " "
    return pick(starts, seed, "start", *parts) + joint + pick(ends, seed, "end", *parts)


def album_title(seed: str, tongue: str, *parts: Part) -> str:
    """The title of an album of several songs."""
    if tongue != "en":
        return song_title(seed, tongue, "album", *parts)
    return f"{pick(_FEELINGS, seed, 'feeling', *parts)} {pick(_ALBUM_FORM, seed, 'form', *parts)}"


def winter_title(seed: str, *parts: Part) -> str:
    """The title of a song that returns each December."""
    return f"{pick(_WINTER, seed, 'winter', *parts)} {pick(_GROUP, seed, 'group', *parts)}"


def label_name(seed: str, *parts: Part) -> str:
    """The name of a record label."""
    return f"{pick(_LABEL, seed, 'label', *parts)} {pick(_LABEL_FORM, seed, 'label form', *parts)}"


def credited_title(title: str, featured: tuple[str, ...]) -> str:
    """A title that names its featured artists, as Spotify's do."""
    return f"{title} (feat. {' & '.join(featured)})" if featured else title


def duration_ms(seed: str, *parts: Part) -> int:
    """The length of a song: about three minutes and a quarter, never under one and a half."""
    return max(90_000, int(196_000 + 32_000 * normal(seed, "duration", *parts)))
