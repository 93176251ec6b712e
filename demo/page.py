"""The whole page: its tabs, what rules all of them, and how it is served."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio as gr

from demo import curate
from demo.about import about_tab
from demo.before_gradio import app_options
from demo.compare import compare_tab
from demo.endpoints import endpoints
from demo.files import ASSETS, asset
from demo.limits import LOOKED_THROUGH_EVERY, MOST_MEGABYTES_A_FILE, UPLOADS_KEPT
from demo.live import live_tab
from demo.photo import EXAMPLES, PhotoTab, photo_tab
from demo.policy import SILENT, PolicyPanel, policy_panel, preset_of, values_in
from demo.visits import Visits
from demo.wording import DEFAULT, page_translations, say, say_html, text
from faceqa import Scorer
from faceqa.curation.report import figures, films
from faceqa.languages import Language

MAX_WAITING = 32
"""Requests that may wait; whoever comes later is told that the demo is busy."""

FONTS = (
    # Gradio serves it itself; its semi-bold cut, which themes take by default, holds a few letters only.
    gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)),
    *("Noto Sans KR", "Noto Sans CJK KR", "Apple SD Gothic Neo", "Malgun Gothic", "system-ui", "sans-serif"),
)


TOASTS = {
    "currently busy": "note.busy",
    "maximum allowed size": "note.too_large",
    "Invalid file type": "note.wrong_kind",
    "Connection errored out": "note.lost",
}
"""What Gradio's toasts say in English in every language, in part, and the page's own sentence for it."""


def build(scorer: Scorer, lent: Scorer | None = None) -> gr.Blocks:
    """The whole page around a scorer.

    Args:
        scorer: Assesses everything.
        lent: On ZeroGPU, assesses photos and data sets in its place, on the lent GPU.
    """
    with gr.Blocks(
        title="faceqa",
        analytics_enabled=False,
        delete_cache=(LOOKED_THROUGH_EVERY, UPLOADS_KEPT),
        fill_width=True,
    ) as demo:
        endpoints(scorer)  # first: their names are theirs alone
        key = gr.Textbox(visible=False)
        asked = gr.Textbox(visible=False)
        with gr.Row(elem_classes="header"):
            gr.HTML(say_html("brand", _brand), elem_id="brand")
            with gr.Row(elem_classes="switches"):
                language = gr.Radio(
                    [("English", "en"), ("한국어", "ko")],
                    value=DEFAULT,
                    show_label=False,
                    label=say("language"),
                    container=False,
                    elem_id="language",
                )
                gr.HTML(say_html("theme", _theme), js_on_load=asset("theme.js"), elem_id="theme")
        visits = Visits(lambda visit: curate.delete(visit.curated))
        visits.sweep_now_and_then()
        policy = policy_panel((key, language))
        with gr.Tabs(elem_id="tabs") as tabs:
            photo = photo_tab(lent or scorer, scorer, visits, policy)
            live_tab(scorer, visits, policy, photo)
            compare_tab(scorer, visits, policy)
            curate.curate_tab(lent or scorer, visits, policy)
            about_tab()
        notes = gr.HTML(
            say_html("notes", _notes), js_on_load=asset("toasts.js"), visible="hidden", elem_id="notes"
        )
        policy.connect()
        _open(demo, policy, photo, asked)
        notes.submit(_refused(photo), [*policy.visit, *policy.sliders], list(photo.outputs), **SILENT)
        gr.on(
            [tab.select for tab in tabs.children],
            None,
            js=asset("tab_in_address.js"),
            api_visibility="private",
        )
        language.input(None, language, js=asset("switch_language.js"), api_visibility="private")
        demo.load(None, js=asset("tab_keys.js"), api_visibility="private")
    return demo


def _open(demo: gr.Blocks, policy: PolicyPanel, photo: PhotoTab, asked: gr.Textbox) -> None:
    """When the page opens: what the address asks for, and what the visit showed before a reload."""
    key, language = policy.visit

    def opened(key: str, language: Language, asked: str) -> list[Any]:
        values = values_in(json.loads(asked))
        preset = preset_of(language, *values)
        return [True, key, language, *values, *preset, *photo.opened(key, language, *values)]

    known = [key, language, asked]
    # At once, without the server: who clicks before it has answered has his key by then.
    demo.load(None, None, known, js=asset("open.js"), api_visibility="private")
    demo.load(
        opened,
        known,
        [policy.opened, key, language, *policy.sliders, policy.presets, policy.note, *photo.outputs],
        js=asset("open.js"),
        **SILENT,
    ).then(None, asked, js=asset("tab_of_address.js"), api_visibility="private")


def _refused(photo: PhotoTab) -> Callable[..., list[Any]]:
    """A file that the page itself refused takes the place of the photo that was shown."""

    def refused(event: gr.EventData, key: str, language: Language, *values: float) -> list[Any]:
        said = next((note for note in TOASTS.values() if note == event.note), "failed")
        return photo.refused(text(said, language), key, language, *values)

    return refused


def serve(demo: gr.Blocks, **options: Any) -> None:
    """Serve the page where the environment says.

    Args:
        demo: The page.
        options: Of `gr.Blocks.launch`, beside `launch_options`.
    """
    demo.queue(max_size=MAX_WAITING, default_concurrency_limit=1, api_open=False)
    demo.launch(**launch_options(), **options)


def theme() -> gr.themes.Base:
    """Gradio's default with every text at a contrast of 4.5 or more to what is behind it (WCAG AA)."""
    return gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=FONTS).set(
        body_text_color_subdued="*neutral_600",
        block_label_text_color="*neutral_600",
        block_title_text_color="*neutral_700",
        color_accent="*primary_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        link_text_color_dark="*primary_400",
    )


def launch_options() -> dict[str, Any]:
    """What `launch` needs beside the address."""
    return {
        "theme": theme(),
        "css": figures.STYLE + films.STYLE,
        "css_paths": [ASSETS / "style.css"],
        "head": _head(),
        "i18n": page_translations(),
        "app_kwargs": app_options(),
        "favicon_path": ASSETS / "logo.svg",
        "allowed_paths": [EXAMPLES],
        "max_file_size": f"{MOST_MEGABYTES_A_FILE}mb",
        "footer_links": ["api"],
        "run_history": False,
        "enable_monitoring": False,
        "share": False,
        "show_error": False,
        "ssr_mode": False,
    }


def _head() -> str:
    return f"<style>{asset('frame.css')}</style><script>{figures.SCRIPT}</script>"


def _brand(language: Language) -> str:
    name = f"<h1>faceqa</h1><p>{text('tagline', language)}</p>"
    return f'<div class="brand">{asset("logo.svg")}<div>{name}</div></div>'


def _theme(language: Language) -> str:
    name = text("theme", language)
    return f'<button type="button" title="{name}" aria-label="{name}">◐</button>'


def _notes(language: Language) -> str:
    return "".join(
        f'<span data-toast="{said}" data-note="{key}">{text(key, language)}</span>'
        for said, key in TOASTS.items()
    )
