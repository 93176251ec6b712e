"""The About tab: how to read the numbers, what they are not, models, privacy, the API."""

from __future__ import annotations

from html import escape

import gradio as gr

from demo.wording import named, say, say_html, text
from faceqa import weights
from faceqa.languages import Language
from faceqa.verdict.policy import OF_A_FACE

API_EXAMPLE = """\
# Python: pip install gradio_client
from gradio_client import Client, handle_file

client = Client("{address}")
result = client.predict(handle_file("face.jpg"), api_name="/assess")
print(result["verdict"], result["cafi"])

# Shell: send the file, ask for its assessment, fetch the answer
FILE=$(curl -s -F files=@face.jpg {address}gradio_api/upload | jq -r '.[0]')
ID=$(curl -s {address}gradio_api/call/assess -H 'Content-Type: application/json' \\
  -d '{{"data": [{{"path": "'$FILE'", "meta": {{"_type": "gradio.FileData"}}}}, {policy}]}}' \\
  | jq -r .event_id)
curl -s {address}gradio_api/call/assess/$ID
"""


def about_tab() -> None:
    """Build the tab."""
    with gr.Tab(say("tab.about"), id="about", elem_id="tab-about") as tab, gr.Column(elem_classes="about"):
        gr.Markdown(say("about.numbers"))
        gr.Markdown(say("about.components"))
        gr.Markdown(say("about.not"))
        gr.Markdown(say("about.models"))
        gr.HTML(say_html("models", _models), elem_id="models")
        gr.Markdown(say("about.cards"))
        gr.Markdown(say("about.privacy"))
        gr.Markdown(say("about.api"))
        code = gr.HTML(_api_example("http://127.0.0.1:7860/"), elem_id="api-example")
    tab.select(_example, None, code, api_visibility="private", queue=False, show_progress="hidden")


def _example(request: gr.Request) -> str:
    """The API's lines with the address that the visitor sees."""
    scheme = request.headers.get("x-forwarded-proto", "http")
    return _api_example(f"{scheme}://{request.headers.get('host', '127.0.0.1:7860')}/")


def _api_example(address: str) -> str:
    policy = ", ".join(f"{setting.default:g}" for setting in OF_A_FACE)
    lines = API_EXAMPLE.format(address=address, policy=policy)
    return f'<pre tabindex="0"><code>{escape(lines)}</code></pre>'


def _models(language: Language) -> str:
    rows = "".join(
        f"<tr><td>{named(f'role.{weight.role}', language)}</td><td>{escape(weight.name)}</td>"
        f"<td>{escape(weight.licence)}</td><td>{escape(weight.origin)}</td></tr>"
        for weight in weights.manifest()
        if weight.models in ("open", "both") and weight.form == "source"
    )
    head = "".join(
        f"<th>{text(f'about.{name}', language)}</th>" for name in ("role", "model", "licence", "origin")
    )
    return f'<div class="tables"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
