"""What a playlist may hold beside songs."""

from __future__ import annotations

from local.spotify.payloads import Json, Renderer


def local_file(renderer: Renderer) -> Json:
    """A file of the user's own in a playlist: ids, dates and addresses are null."""
    artist: Json = {
        "external_urls": {},
        "href": None,
        "id": None,
        "name": "A Neighbour",
        "type": "artist",
        "uri": None,
    }
    return renderer.without_lost_fields(
        {
            "preview_url": None,
            "available_markets": [],
            "explicit": False,
            "type": "track",
            "episode": False,
            "track": True,
            "album": renderer.without_lost_fields(
                {
                    "available_markets": [],
                    "type": "album",
                    "album_type": None,
                    "href": None,
                    "id": None,
                    "images": [],
                    "name": "Home Tapes",
                    "release_date": None,
                    "release_date_precision": None,
                    "uri": None,
                    "artists": [],
                    "external_urls": {},
                }
            ),
            "artists": [artist],
            "disc_number": 0,
            "track_number": 0,
            "duration_ms": 187_000,
            "external_ids": {},
            "external_urls": {},
            "href": None,
            "id": None,
            "name": "Kitchen Demo",
            "popularity": 0,
            "uri": "spotify:local:A+Neighbour:Home+Tapes:Kitchen+Demo:187",
            "is_local": True,
        }
    )


def episode(renderer: Renderer) -> Json:
    """A podcast's episode in a playlist: it has a show instead of an album, and no artists."""
    identity, show = "5Wq0fPodcastEpisode0Ab", "6Xr1gPodcastShow000Cde"
    return {
        "audio_preview_url": None,
        "description": "An hour about a made-up chart.",
        "duration_ms": 3_600_000,
        "episode": True,
        "explicit": False,
        **renderer.links("episode", identity),
        "html_description": "<p>An hour about a made-up chart.</p>",
        "id": identity,
        "images": [],
        "is_externally_hosted": False,
        "is_playable": True,
        "language": "en",
        "languages": ["en"],
        "name": "12: The Chart That Never Was",
        "release_date": renderer.today.isoformat(),
        "release_date_precision": "day",
        "resume_point": {"fully_played": False, "resume_position_ms": 0},
        "show": renderer.without_lost_fields(
            {
                "available_markets": [],
                "copyrights": [],
                "description": "Charts, made up.",
                "explicit": False,
                **renderer.links("show", show),
                "html_description": None,
                "id": show,
                "images": [],
                "is_externally_hosted": False,
                "languages": ["en"],
                "media_type": "audio",
                "name": "Charts from Nowhere",
                "publisher": "Nobody",
                "total_episodes": 12,
                "type": "show",
                "uri": f"spotify:show:{show}",
            }
        ),
        "track": False,
        "type": "episode",
        "uri": f"spotify:episode:{identity}",
    }
