"""Every sentence of the demo, in English and Korean.

Names of measures, labels of sliders and short names of reasons are those of the registry and of
`verdict.reasons`; everything else is written here.

The server decides the page's language before Gradio starts (`demo.before_gradio`); Gradio draws the page in it
(`page_translations`), and every answer of the server comes in it, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from demo.limits import (
    FRAMES_A_SECOND,
    MOST_IMAGES,
    MOST_MEGABYTES,
    MOST_MEGABYTES_A_FILE,
    MOST_MINUTES,
    MOST_STREAM_MINUTES,
)
from faceqa.curation.report.wording import ROLES
from faceqa.errors import FaceqaError
from faceqa.languages import LANGUAGES, Language, Words
from faceqa.measures.registry import COMPONENTS, SCORE, TAKEN, WEIGHTED, Measure
from faceqa.verdict.policy import SETTINGS
from faceqa.verdict.reasons import WORDINGS

DEFAULT: Language = "en"

log = logging.getLogger(__name__)

KEPT = Words(
    f"at the latest {MOST_MINUTES} minutes after you last used the page, and at once when the server stops",
    f"페이지를 마지막으로 사용한 뒤 늦어도 {MOST_MINUTES}분 안에, 서버가 멈추면 바로",
)
"""When everything that a visitor sent is deleted: said wherever the page speaks of it."""


def _table(language: Language) -> str:
    """Every measure: what it says, its scale, and what is asked of it by default. Markdown."""
    heads = {
        "en": "| measure | what it says | scale | good enough by default |",
        "ko": "| 측정값 | 의미 | 범위 | 기본 기준 |",
    }
    rows = (
        f"| **{row.title.in_language(language)}** | {row.meaning.in_language(language)} "
        f"| {_scale(row, language)} | {_asked(row, language)} |"
        for row in (*TAKEN, SCORE)
    )
    return "\n".join([heads[language], "|---|---|---|---|", *rows])


def _components(language: Language) -> str:
    """Every quality component and what it says. Markdown."""
    heads = {"en": "| component | 100 is best |", "ko": "| 항목 | 의미(100이 가장 좋음) |"}
    rows = (
        f"| **{row.title.in_language(language)}** | {row.meaning.in_language(language)} |"
        for row in COMPONENTS
    )
    return "\n".join([heads[language], "|---|---|", *rows])


def _scale(row: Measure, language: Language) -> str:
    """Both ends of a measure's scale; of one in px or degrees the unit says enough."""
    if row.unit not in ("", "%"):
        return row.unit
    low, high = (100 * end if row.unit else end for end in row.axis)
    unit = "" if not row.unit else {"en": " %", "ko": "%"}[language]
    return {"en": f"{low:g} to {high:g}{unit}", "ko": f"{low:g}~{high:g}{unit}"}[language]


def _asked(row: Measure, language: Language) -> str:
    if row.gate is not None:
        limit = row.limit_text(row.gate.limit, language)
        bound = Words("{} or more", "{} 이상") if row.higher_is_better else Words("{} or less", "{} 이하")
        return bound.in_language(language).format(limit)
    said = Words("part of the CAFI", "CAFI에 반영") if row.weight else Words("for comparison only", "비교용")
    return said.in_language(language)


def _mean(language: Language) -> str:
    """What the CAFI is the mean of, and which of its parts count by default."""
    titles = {row.name: row.title.in_language(language) for row in WEIGHTED}
    parts = ", ".join(
        titles[row.name] if row.factor == 1 else f"{row.factor:g} × {titles[row.name]}" for row in WEIGHTED
    )
    counting = ", ".join(titles[row.name] for row in WEIGHTED if row.weight and row.weight.default)
    return Words(
        f"The CAFI is the weighted mean of these parts: {parts}. By default only {counting} counts.",
        f"CAFI는 다음 값의 가중 평균입니다: {parts}. 기본값에서는 {counting}만 반영됩니다.",
    ).in_language(language)


OF_THE_REGISTRY: Mapping[str, Words] = {
    **{f"setting.{setting.name}": setting.label for setting in SETTINGS},
    **{f"stage.{row.name}": row.title for row in TAKEN},
    "stage.apertures": ROLES["apertures"],
    "step.quality": ROLES["iqa"],
    **{f"role.{role}": name for role, name in ROLES.items()},
    **{f"reason.{code}": said.short for code, said in WORDINGS.items()},
}

OWN: dict[str, tuple[str, str]] = {
    # The page
    "page.title": (
        "faceqa: is this face good enough to train on?",
        "faceqa: 학습에 쓸 만한 얼굴 사진인가요?",
    ),
    "page.description": (
        "Drop a face photo: a score from 0 to 100, a verdict, and the reasons. No reference image, no outside service.",
        "얼굴 사진을 올리면 0~100의 점수와 판정, 그 이유를 알려 줍니다. 비교할 원본 사진도 외부 서비스도 필요 없습니다.",
    ),
    "tagline": (
        "Is this face photo good enough to train on, and why not?",
        "이 얼굴 사진은 학습에 쓸 만한가요? 아니라면 왜일까요?",
    ),
    "language": ("Language", "언어"),
    "theme": ("Switch between light and dark", "밝은 화면과 어두운 화면 전환"),
    "tab.photo": ("Photo", "사진"),
    "tab.live": ("Live", "실시간"),
    "tab.compare": ("Compare", "비교"),
    "tab.curate": ("Curate", "데이터 선별"),
    "tab.about": ("About", "안내"),
    "failed": (
        "Something went wrong on the server. Please try again.",
        "서버에서 문제가 발생했습니다. 다시 시도해 주세요.",
    ),
    "note.busy": (
        "The demo is busy: many people are using it right now. Please try again in a moment.",
        "지금 사용자가 많아 대기열이 가득 찼습니다. 잠시 뒤 다시 시도해 주세요.",
    ),
    "note.too_large": (
        f"The file is too large. A file may have at most {MOST_MEGABYTES_A_FILE} MB.",
        f"파일이 너무 큽니다. 파일 하나는 최대 {MOST_MEGABYTES_A_FILE}MB까지 올릴 수 있습니다.",
    ),
    "note.wrong_kind": (
        "This is no image. Send a JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or GIF.",
        "이미지 파일이 아닙니다. JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP, GIF 파일을 올리세요.",
    ),
    "note.lost": (
        "The server does not answer. Check the connection and try again.",
        "서버가 응답하지 않습니다. 연결을 확인하고 다시 시도하세요.",
    ),
    # Names
    "pitch": ("pitch", "상하"),
    "roll": ("roll", "기울기"),
    "accept": ("ACCEPT", "합격"),
    "reject": ("REJECT", "불합격"),
    "error": ("NOT ASSESSED", "평가 불가"),
    # Photo
    "photo.input": ("A photo of a face", "얼굴 사진"),
    "photo.placeholder": (
        "# Drop a photo here\nor click to choose one, paste it, or take it with the camera",
        "# 여기에 사진을 놓으세요\n클릭해서 고르거나, 붙여 넣거나, 카메라로 찍을 수도 있습니다",
    ),
    "examples": ("Or try one of these examples with one click", "또는 아래 예시를 눌러 보세요"),
    "example.hopper": ("Sharp portrait", "선명한 인물 사진"),
    "example.hopper_360p": ("360p video", "360p 영상"),
    "example.hopper_mask": ("Surgical mask", "마스크 착용"),
    "example.hopper_blur": ("Out of focus", "초점이 나간 사진"),
    "example.hopper_dark": ("Too dark", "어두운 사진"),
    "example.two_faces": ("Two faces", "두 사람"),
    "example.no_face": ("No face", "얼굴 없음"),
    "example.collins": ("Another portrait", "다른 인물 사진"),
    "idle.title": ("Choose a photo to see its verdict", "사진을 고르면 판정이 나옵니다"),
    "idle.text": (
        "faceqa gives each face a score from 0 to 100, a verdict, and the reasons for the verdict. It needs no reference "
        "image and uses no outside service.",
        "faceqa는 얼굴마다 0~100의 점수와 판정, 그 이유를 알려 줍니다. 비교할 원본 사진이 필요 없고 외부 서비스도 쓰지 "
        "않습니다.",
    ),
    "verdict.accept": (
        "This face is good enough to train on.",
        "학습에 쓰기 좋은 얼굴입니다.",
    ),
    "verdict.cafi": (
        "CAFI, <i>Combined Advantages of FIQA and IQA</i>: face quality from 0 to 100",
        "CAFI(Combined Advantages of FIQA and IQA): 0~100의 얼굴 품질 점수",
    ),
    "verdict.no_cafi": ("no CAFI: a gate failed", "필수 기준 미달로 CAFI 없음"),
    "reason.also": ("Also: {causes}.", "그 밖에: {causes}."),
    "scale.needed": ("{limit} needed", "기준 {limit}"),
    "strip": ("The gates, then the score", "필수 기준과 점수"),
    "gate.kept": ("passed:", "통과:"),
    "gate.failed": ("failed:", "미달:"),
    "pass_rate": (
        "Bars: how faces in ordinary photographs score. With these thresholds {percent} % of them pass.",
        "막대는 일반 사진 속 얼굴들의 점수 분포입니다. 이 기준이면 {percent}%가 합격합니다.",
    ),
    "faces": ("{count} faces: click one to see why", "얼굴 {count}개: 누르면 이유가 나옵니다"),
    "faces.judged": (
        "{kept} of {count} faces pass: click one to see why",
        "얼굴 {count}개 중 {kept}개 합격: 누르면 이유가 나옵니다",
    ),
    "alt.faces": ("The photo with a numbered frame on every face", "모든 얼굴에 번호를 매긴 사진"),
    "face.n": ("Face {number}", "얼굴 {number}"),
    "way": ("How the verdict comes about", "판정이 나오기까지"),
    "step.photo": ("Find the face", "얼굴 찾기"),
    "step.crop": ("Crop the face", "얼굴 자르기"),
    "step.recognition": ("Recognisable?", "알아볼 수 있는가?"),
    "step.mask": ("Uncovered?", "가려지지 않았는가?"),
    "step.result": ("The result", "결과"),
    "step.photo.idle": (
        "YuNet finds the faces, and five landmarks in each.",
        "YuNet이 얼굴과 다섯 개의 특징점을 찾습니다.",
    ),
    "step.crop.idle": (
        "The square around the face, and which way the head is turned.",
        "얼굴 주변을 정사각형으로 자르고 고개의 방향을 봅니다.",
    ),
    "step.recognition.idle": (
        "SER-FIQ measures how stable the face looks to a recognition network.",
        "SER-FIQ가 인식 신경망에 얼굴이 얼마나 안정적으로 보이는지 잽니다.",
    ),
    "step.mask.idle": (
        "The outline of the face, and the part of the face that is covered.",
        "얼굴의 윤곽과 가려진 부분을 찾습니다.",
    ),
    "step.quality.idle": (
        "DBCNN scores blur, noise and resolution of the face, without the background.",
        "DBCNN이 배경을 뺀 얼굴의 흐림, 노이즈, 해상도를 평가합니다.",
    ),
    "step.result.idle": ("First the gates, then the score.", "필수 기준을 먼저 보고 점수를 매깁니다."),
    "alt.photo": (
        "The photo with a frame around each face and dots on the eyes, nose and mouth corners",
        "각 얼굴에 테두리가, 눈·코·입꼬리에 점이 표시된 사진",
    ),
    "alt.crop": (
        "The face crop with arrows that show how the head is turned",
        "고개 방향을 화살표로 표시한 얼굴 사진",
    ),
    "alt.recognition": (
        "The aligned face as the recognition network sees it",
        "인식 신경망이 보는 정렬된 얼굴",
    ),
    "alt.mask": (
        "The face crop; the visible face is filled, covered parts are hatched",
        "보이는 부분은 색으로, 가려진 부분은 빗금으로 표시한 얼굴 사진",
    ),
    "alt.quality": ("The face without its background", "배경을 지운 얼굴"),
    "overlay.opacity": ("Overlay", "표시 진하기"),
    "overlay.reveal": ("Before / after", "전 / 후"),
    "number.faces": (
        "Faces: {count} · confidence {confidence:.0%}",
        "얼굴 {count}개 · 신뢰도 {confidence:.0%}",
    ),
    "number.photo": ("photo {width} × {height} px", "사진 {width} × {height}픽셀"),
    "number.eyes": ("eyes {distance:.0f} px apart", "두 눈 사이 {distance:.0f}픽셀"),
    "pose.unknown": ("head pose unknown", "고개 방향을 알 수 없음"),
    "pose.frontal": ("looks into the camera", "정면을 봄"),
    "pose.turned": ("turned to the side", "옆을 봄"),
    "bound.at_least": ("at least {limit}", "{limit} 이상"),
    "bound.at_most": ("at most {limit}", "{limit} 이하"),
    "gauge.label": ("{title} {value}, {bound}", "{title} {value}, 기준 {bound}"),
    # Policy
    "policy.preset": ("Thresholds for all tabs", "모든 탭의 기준"),
    "policy.thresholds": ("Set the thresholds", "기준 조정"),
    "preset.note.fair": (
        "Fair: each gate asks for what its own measure is about, and good pictures of every group pass.",
        "공정: 필수 기준마다 자기 측정값만 보며, 어떤 집단의 사람이든 좋은 사진이면 통과합니다.",
    ),
    "preset.note.strict": (
        "Strict: for a small training set of the best pictures.",
        "엄격: 가장 좋은 사진만 모은 작은 학습 데이터를 위한 기준입니다.",
    ),
    "preset.note.balanced": (
        "Balanced: SER-FIQ counts in the score. It gives some groups of people lower values than others.",
        "균형: SER-FIQ도 점수에 반영됩니다. SER-FIQ는 집단에 따라 값이 다릅니다.",
    ),
    "preset.note.reference": (
        "Reference: the published SER-FIQ gate of 0.5, for comparison with the literature. It rejects good pictures because "
        "of whom they show: among generated portraits 64 % of the Asian women and 1 % of the white men.",
        "참조: 문헌과 비교하기 위한 SER-FIQ 기준 0.5입니다. 좋은 사진도 찍힌 사람에 따라 탈락합니다. 생성된 인물 사진에서 아시아 "
        "여성은 64%, 백인 남성은 1%가 탈락합니다.",
    ),
    "preset.note.own": ("Your own thresholds.", "직접 정한 기준입니다."),
    "preset.fair": ("Fair", "공정"),
    "preset.strict": ("Strict", "엄격"),
    "preset.balanced": ("Balanced", "균형"),
    "preset.reference": ("Reference", "참조"),
    "policy.weights": ("Weights of the CAFI", "CAFI 가중치"),
    "policy.reset": ("Reset", "초기화"),
    "details": ("Timings and models", "처리 시간과 모델"),
    "distortions": ("What spoils the picture", "화질을 떨어뜨리는 것"),
    "distortions.meaning": (
        "0 is nothing; 1 costs a sharp face 40 points of DBCNN. The worst first.",
        "0은 손상 없음, 1은 선명한 얼굴의 DBCNN이 40점 떨어지는 손상입니다. 심한 것부터 나옵니다.",
    ),
    "components": ("Quality components (ISO/IEC 29794-5)", "품질 항목 (ISO/IEC 29794-5)"),
    "components.name": ("Component", "항목"),
    "components.meaning": ("What it says", "뜻"),
    "components.value": ("From 0 to 100", "0~100점"),
    "components.idle": (
        "Quality components appear with the first face.",
        "첫 얼굴을 평가하면 품질 항목이 나옵니다.",
    ),
    "stage.distortions": ("Distortions", "손상 판별"),
    "details.stage": ("Stage", "단계"),
    "details.ms": ("Milliseconds", "밀리초"),
    "details.role": ("Role", "역할"),
    "details.model": ("Model", "모델"),
    "stage.decoding": ("Reading the file", "파일 읽기"),
    "stage.detection": ("Finding faces", "얼굴 찾기"),
    "stage.refinement": ("A closer look at the face", "얼굴 자세히 보기"),
    "stage.alignment": ("Alignment and crop", "정렬과 자르기"),
    "stage.mask": ("Face mask and head pose", "얼굴 마스크와 고개 방향"),
    "stage.components": ("Quality components", "품질 항목"),
    "stage.total": ("Together", "합계"),
    "role.distortions": ("Distortions", "손상 판별"),
    "role.head_pose": ("Head pose", "고개 방향"),
    "role.calibration": ("Calibration", "보정 자료"),
    "details.idle": (
        "Timings and models appear with the first photo.",
        "첫 사진을 평가하면 처리 시간과 모델이 나옵니다.",
    ),
    "download.json": ("Result (JSON)", "결과 (JSON)"),
    "download.masked": ("Masked face (PNG)", "배경을 지운 얼굴 (PNG)"),
    "download.annotated": ("Annotated photo (JPEG)", "표시된 사진 (JPEG)"),
    "share": ("↓ Picture to share", "↓ 공유용 이미지"),
    "share.in_english": ("↓ Picture to share", "↓ 공유용 이미지 (영어)"),
    "share.face": ("The face", "얼굴"),
    "share.masked": ("The part that is scored", "평가하는 부분"),
    "share.cafi": (
        "CAFI, Combined Advantages of FIQA and IQA: face quality from 0 to 100",
        "CAFI(Combined Advantages of FIQA and IQA): 0~100의 얼굴 품질 점수",
    ),
    "share.non_commercial": (
        "Research models: for non-commercial use only",
        "연구용 모델: 비상업적 용도로만 사용할 수 있습니다",
    ),
    "downloads": ("Download", "내려받기"),
    "downloads.idle": ("The files appear with the first photo.", "첫 사진을 평가하면 파일이 나옵니다."),
    # Live
    "live.intro": (
        "Press Start and allow the camera. This server judges every frame and throws it away at once; only the best "
        "frame is kept. "
        f"The camera stops by itself after {MOST_STREAM_MINUTES} minutes.",
        "시작을 누르고 카메라를 허용하세요. 모든 화면은 이 서버에서 평가한 뒤 바로 버리며 가장 좋은 한 장만 남겨 둡니다. "
        f"{MOST_STREAM_MINUTES}분이 지나면 자동으로 끝납니다.",
    ),
    "live.camera": ("Camera", "카메라"),
    "live.idle": (
        "Start the camera: the verdict appears here.",
        "카메라를 시작하면 판정이 여기에 나옵니다.",
    ),
    "live.stage": ("Your camera's picture appears here.", "카메라 화면이 여기에 나옵니다."),
    "live.start": ("Start the camera", "카메라 시작"),
    "live.stop": ("Stop", "정지"),
    "live.rate": ("{rate:.1f} frames a second", "초당 {rate:.1f}장"),
    "live.trace": (
        "The measures of the last minute on a scale from 0 to 100, with their thresholds",
        "최근 1분간의 측정값(0~100으로 환산)과 기준선",
    ),
    "live.now": ("now", "지금"),
    "live.ago": ("a minute ago", "1분 전"),
    "live.best": ("Best frame so far", "지금까지 가장 좋은 장면"),
    "live.best.idle": ("The best frame appears here.", "가장 좋은 장면이 여기에 나옵니다."),
    "live.send": ("Show the best frame on the Photo tab", "가장 좋은 장면을 사진 탭에서 보기"),
    "live.none": ("No frame has shown a face yet.", "아직 얼굴이 나온 장면이 없습니다."),
    "live.forget": ("Start over", "처음부터"),
    "camera.refused": (
        "The browser refused the camera. Allow the camera in the address bar, then reload the page.",
        "카메라 사용이 거부되었습니다. 브라우저 주소창에서 허용한 뒤 새로고침하세요.",
    ),
    "camera.missing": (
        "No camera was found. Connect a camera and press the start button again, or use a photo.",
        "카메라를 찾지 못했습니다. 카메라를 연결하고 시작 버튼을 다시 누르거나 사진을 사용하세요.",
    ),
    "camera.busy": (
        "The camera cannot be opened. Another program may be using it: close that program and try again.",
        "카메라를 열 수 없습니다. 다른 프로그램이 사용 중일 수 있으니 그 프로그램을 닫고 다시 시도하세요.",
    ),
    "camera.lost": (
        "The camera was lost. Connect it again and press Start.",
        "카메라 연결이 끊어졌습니다. 다시 연결하고 시작 버튼을 누르세요.",
    ),
    "camera.crowded": (
        "Too many cameras are judged at the moment. Please try again in a few minutes.",
        "지금 사용 중인 카메라가 많습니다. 몇 분 뒤 다시 시도해 주세요.",
    ),
    "camera.unreachable": (
        "The server does not answer any more. Check the connection and start the camera again.",
        "서버가 응답하지 않습니다. 연결을 확인하고 카메라를 다시 시작하세요.",
    ),
    "camera.insecure": (
        "Browsers allow the camera only on pages of this machine or over HTTPS. Open this page under such an address.",
        "브라우저는 이 컴퓨터의 페이지나 HTTPS 페이지에만 카메라를 허용합니다. 그런 주소로 이 페이지를 여세요.",
    ),
    # Compare
    "compare.table": ("Side by side", "나란히 비교"),
    "compare.intro": (
        "Compare two to six photos, as the reference study does. SER-FIQ measures whether a face can be recognised, DBCNN "
        "measures how good its picture is, and CAFI combines both.",
        "참조 연구처럼 사진을 두 장에서 여섯 장까지 비교합니다. SER-FIQ는 얼굴을 알아볼 수 있는지를, DBCNN은 화질을 재고, "
        "CAFI는 둘의 장점을 합칩니다.",
    ),
    "compare.files": ("Two to six photos", "사진 두 장에서 여섯 장"),
    "compare.examples": ("Compare the examples", "예시 비교하기"),
    "compare.run": ("Compare", "비교하기"),
    "compare.count": (
        "Choose two to six photos, not {count}.",
        "사진을 두 장에서 여섯 장까지 고르세요. 지금은 {count}장입니다.",
    ),
    "compare.idle": ("The table appears here.", "표가 여기에 나옵니다."),
    "compare.best": ("best", "최고"),
    "compare.face_alone": ("{title}, face alone", "{title}(얼굴만)"),
    "compare.verdict": ("Verdict", "판정"),
    "compare.image": ("Photo", "사진"),
    "stress": ("Stress test", "스트레스 테스트"),
    "stress.intro": (
        "The photo of the Photo tab, or else the first example, is made worse step by step. See which curve falls first; "
        "the lower chart shows what faceqa tells of the damage. "
        "Blur, noise and low resolution lower the picture quality while the face can still be recognised. A covered face "
        "can stay as sharp as before. That is why the CAFI needs two metrics.",
        "사진 탭의 사진(없으면 첫 번째 예시)을 단계적으로 나쁘게 만듭니다. 어느 곡선이 먼저 떨어지는지 보세요. "
        "아래 그래프는 faceqa가 알아낸 손상입니다. 흐림, 노이즈, 낮은 해상도는 얼굴을 아직 알아볼 수 있을 때 이미 화질을 떨어뜨립니다. 가려진 얼굴은 화질이 그대로일 수 있습니다. "
        "그래서 CAFI에는 두 가지 지표가 필요합니다.",
    ),
    "stress.kind": ("Make the photo worse by", "나쁘게 만드는 방법"),
    "stress.resolution": ("Resolution", "해상도"),
    "stress.blur": ("Blur", "흐림"),
    "stress.jpeg": ("JPEG", "JPEG 압축"),
    "stress.noise": ("Noise", "노이즈"),
    "stress.darkness": ("Darkness", "어두움"),
    "stress.mask": ("Drawn mask", "그려 넣은 마스크"),
    "stress.rotation": ("Rotation", "회전"),
    "stress.run": ("Run the stress test", "스트레스 테스트 실행"),
    "stress.no_face": (
        "The photo shows no face. Choose another one on the Photo tab.",
        "사진에 얼굴이 없습니다. 사진 탭에서 다른 사진을 고르세요.",
    ),
    "stress.score": ("Score", "점수"),
    "stress.severity": ("Severity, share covered", "손상 정도, 가려진 비율"),
    "stress.idle": ("Choose a kind and run the test.", "방법을 고르고 테스트를 실행하세요."),
    "unit.resolution": ("width of the face in px", "얼굴 폭(픽셀)"),
    "unit.blur": ("sigma, in % of the width of the face", "시그마(얼굴 폭의 %)"),
    "unit.jpeg": ("JPEG quality", "JPEG 품질"),
    "unit.noise": ("standard deviation, of 255", "표준 편차(255 기준)"),
    "unit.darkness": ("stops under-exposed", "노출 부족(스톱)"),
    "unit.mask": ("% of the lower face covered", "얼굴 아래쪽이 가려진 정도(%)"),
    "unit.rotation": ("degrees", "회전 각도"),
    # Curate
    "curate.intro": (
        f"Send photos, zip archives or videos: up to {MOST_IMAGES:,} images and {MOST_MEGABYTES} MB, and up to "
        f"{MOST_MEGABYTES_A_FILE} MB a file. Of a video, {FRAMES_A_SECOND} frames a second are assessed. Only you see your files "
        f"and results. They are deleted {KEPT.en}.",
        f"사진, zip 또는 동영상을 올리세요. 이미지는 최대 {MOST_IMAGES:,}장, 크기는 모두 {MOST_MEGABYTES}MB, 파일 하나는 "
        f"{MOST_MEGABYTES_A_FILE}MB까지이며 동영상은 1초에 {FRAMES_A_SECOND}장씩 평가합니다. 파일과 결과는 본인만 볼 수 있고 "
        f"{KEPT.ko} 삭제됩니다.",
    ),
    "curate.files": ("Photos, zip archives or videos", "사진, zip 압축 파일 또는 동영상"),
    "curate.sent": (
        "Files: {files} · images in them: {images}",
        "파일 {files}개 · 그 안의 이미지 {images}장",
    ),
    "curate.run": ("Assess all", "모두 평가하기"),
    "curate.cancel": ("Cancel", "취소"),
    "curate.examples": ("Use the examples", "예시로 해 보기"),
    "curate.nothing": ("Choose some files first.", "먼저 파일을 고르세요."),
    "curate.no_run": ("Assess some files first.", "먼저 파일을 평가하세요."),
    "curate.too_many": (
        "The files hold more than {images} images. Send fewer at once, or use the command line, which has no limit.",
        "이미지가 {images}장보다 많습니다. 나누어 올리거나 제한이 없는 명령줄을 사용하세요.",
    ),
    "curate.too_large": (
        "The files have more than {megabytes} MB. Send less at once, or use the command line, which has no limit.",
        "파일이 {megabytes}MB보다 큽니다. 나누어 올리거나 제한이 없는 명령줄을 사용하세요.",
    ),
    "curate.waiting": (
        "Waiting for the server: it assesses one data set at a time …",
        "서버를 기다리고 있습니다. 데이터는 한 번에 한 묶음씩 평가합니다 …",
    ),
    "curate.starting": ("Starting with {total} images …", "이미지 {total}장을 시작합니다 …"),
    "curate.progress": (
        "{done} of {total} images · {rate:.1f} a second · {left} min left",
        "{total}장 중 {done}장 · 초당 {rate:.1f}장 · 남은 시간 {left}",
    ),
    "curate.pictures": (
        "{total} images assessed. Preparing the pictures of the faces …",
        "이미지 {total}장을 평가했습니다. 얼굴 사진을 준비하고 있습니다 …",
    ),
    "curate.done": (
        "{total} images in {seconds:.1f} seconds.",
        "이미지 {total}장을 {seconds:.1f}초에 평가했습니다.",
    ),
    "curate.cancelled": ("Cancelled.", "취소했습니다."),
    "curate.idle": (
        "How many faces are kept and why the others are rejected appears here.",
        "남길 얼굴의 수와 나머지를 제외한 이유가 여기에 나옵니다.",
    ),
    "curate.kept_of": ("kept {kept} of {total}", "{total}개 중 {kept}개 남김"),
    "curate.kept": ("Kept", "남김"),
    "curate.rejected": ("Rejected", "제외"),
    "curate.all": ("All", "전체"),
    "curate.show": ("Show", "보기"),
    "curate.accept": ("✓ Keep it anyway", "✓ 그래도 남기기"),
    "curate.reject": ("✕ Reject it anyway", "✕ 그래도 제외하기"),
    "curate.as_judged": ("As the thresholds say", "기준대로"),
    "curate.alike": ("+ {count} alike", "+ 비슷한 사진 {count}장"),
    "curate.duplicates": ("Near-duplicates", "비슷한 사진"),
    "curate.by_hand": ("by hand", "직접 정함"),
    "curate.more": ("and {count} more: see the table", "외 {count}개는 표에서 볼 수 있습니다"),
    "curate.downloads": (
        "Download the results. Each file is made when you click, with the thresholds set above.",
        "결과 내려받기. 파일은 누를 때 위의 기준으로 만들어집니다.",
    ),
    "curate.table": ("Table (CSV)", "표 (CSV)"),
    "curate.report": ("Report page (HTML)", "보고서 (HTML)"),
    "curate.open": ("Open the report ↗", "보고서 열기 ↗"),
    "curate.opened": ("The report, in a new tab", "새 탭에서 보고서 보기"),
    "curate.unique": (
        "Keep only the best of nearly the same pictures",
        "비슷한 사진 중 가장 좋은 것만 남기기",
    ),
    "curate.images": ("Kept images (zip)", "남긴 이미지 (zip)"),
    # About
    "about.numbers": (
        f"""## How to read the numbers

**CAFI**, *Combined Advantages of FIQA and IQA*, is the score: 0 to 100, higher is better. A face must first pass every
gate; only then does its score count.

{_table("en")}

{_mean("en")}

SER-FIQ measures whether a face can be recognised, but a low resolution hardly changes it. DBCNN measures the picture,
but does not know what the picture shows: the photo of a masked face can be perfectly sharp. The two complete each
other. *Better than 71 %* means that 71 % of the faces in a set of reference photographs have a lower value. The same
photo always gets the same numbers.
""",
        f"""## 숫자 읽는 법

**CAFI**(Combined Advantages of FIQA and IQA)는 0~100의 점수이며 높을수록 좋습니다. 얼굴이 먼저 필수 기준을 모두
통과해야 점수가 인정됩니다.

{_table("ko")}

{_mean("ko")}

SER-FIQ는 얼굴을 알아볼 수 있는지를 재지만 해상도에는 둔감합니다. DBCNN은 화질을 재지만 무엇이 찍혔는지는 모릅니다.
마스크를 쓴 얼굴도 아주 선명할 수 있습니다. 둘은 서로를 보완합니다. “71%”는 참조 사진 속 얼굴 가운데 71%가 더 낮은
값을 가진다는 뜻입니다. 같은 사진은 언제나 같은 점수를 받습니다.
""",
    ),
    "about.components": (
        f"""### Quality components

Beside the verdict, the API, the command line and data sets give the quality components of ISO/IEC 29794-5, whole
numbers from 0 to 100, with the formulas of the standard's reference implementation (OFIQ); only sharpness has a mapping
of our own. They ask what a passport photograph is asked, so a good face in a wide picture has a low head size. They
decide nothing unless a policy asks for a minimum: `faceqa score --min sharpness=50 face.jpg`.

{_components("en")}
""",
        f"""### 품질 항목

판정 외에 API, 명령줄, 데이터셋 결과에는 ISO/IEC 29794-5의 품질 항목이 0~100의 정수로 함께 나옵니다. 표준의 참조 구현(OFIQ)과
같은 식을 쓰며, 선명도만 환산식이 다릅니다. 여권 사진의 기준이므로 넓은 사진 속의 좋은 얼굴은 머리 크기 점수가 낮습니다. 기준에
하한을 넣지 않으면 판정에 쓰이지 않습니다: `faceqa score --min sharpness=50 face.jpg`.

{_components("ko")}
""",
    ),
    "about.not": (
        """## What the numbers are not

- **Not identity.** faceqa does not recognise, compare or remember anyone.
- **Not attractiveness or worth.** faceqa measures a picture, never the person in it.
- **Not proof.** An accepted photo may be forged, and a rejected photo may be genuine. Do not use faceqa to decide about
  people.
- **SER-FIQ is not the same for everybody.** It says how stable one recognition network finds a face, and that depends on
  the person, too: women and Asian people get lower values in equally good pictures. So the default asks little of SER-FIQ
  and leaves pose, cover and blur to measures of their own. A higher limit rejects people, not only pictures.
- **Not equally reliable everywhere.** Hats, dark glasses, profiles, drawings and children are harder. Head angles are off
  by about three degrees. *Eyes open* takes narrow eyes for half shut ones now and then, so it decides nothing by default. The
  steps on the Photo tab show what the models saw.
""",
        """## 이 숫자가 아닌 것

- **신원이 아닙니다.** faceqa는 누구인지 알아보거나 비교하거나 기억하지 않습니다.
- **외모나 가치의 평가가 아닙니다.** 사진을 평가할 뿐 사람을 평가하지 않습니다.
- **증거가 아닙니다.** 합격한 사진도 위조일 수 있고 불합격한 사진도 진짜일 수 있습니다. 이것으로 사람에 대한 결정을 내리지 마세요.
- **SER-FIQ는 누구에게나 같지 않습니다.** 인식 신경망 하나가 얼굴을 얼마나 안정적으로 보는지를 재므로 사람에 따라서도 달라집니다. 똑같이
  좋은 사진이어도 여성과 아시아인은 값이 낮습니다. 그래서 기본 기준은 SER-FIQ에 조금만 요구하고, 고개 방향과 가려짐과 흐림은 각각의
  측정값에 맡깁니다. 기준을 높이면 사진만이 아니라 사람이 탈락합니다.
- **어디서나 똑같이 정확하지는 않습니다.** 모자, 짙은 안경, 옆얼굴, 그림, 어린이는 더 어렵습니다. 고개 각도는 3도쯤
  어긋날 수 있습니다. *눈 뜸*은 가는 눈을 반쯤 감은 눈으로 보는 일이 있어 기본으로는 판정에 쓰지 않습니다. 사진 탭의 단계들이 모델이 본
  것을 보여 줍니다.
""",
    ),
    "about.models": ("## Models and licences", "## 모델과 라이선스"),
    "about.model": ("Model", "모델"),
    "about.role": ("Role", "역할"),
    "about.licence": ("Licence", "라이선스"),
    "about.origin": ("Origin", "출처"),
    "about.cards": (
        "All these models may be used commercially. They come with the installation, and faceqa checks the SHA-256 of each "
        "file before it is used. faceqa itself is under the Apache License 2.0. Model cards are in `weights/README.md`.",
        "모두 상업적으로 쓸 수 있고 설치에 포함되어 있으며 쓰기 전에 SHA-256을 확인합니다. faceqa 자체는 Apache License 2.0을 "
        "따르며 모델 카드는 `weights/README.md`에 있습니다.",
    ),
    "about.privacy": (
        f"""## Privacy

- Everything runs on the machine that serves this page. Neither the page nor the server asks for anything outside: no
  fonts, no analytics, no account.
- Everything that you send, and everything that comes of it, is deleted {KEPT.en}. Until then photos and data sets lie in
  temporary folders of the server, and results are in its memory.
- Camera frames of the Live tab are not written to the disk, unless you show the best one on the Photo tab. Then it is
  kept like any other photo.
""",
        f"""## 개인정보

- 모든 처리는 이 페이지를 제공하는 컴퓨터에서 이루어집니다. 페이지도 서버도 글꼴, 분석 도구, 계정 등 외부에 아무것도
  요청하지 않습니다.
- 올린 파일과 그 결과는 {KEPT.ko} 모두 삭제됩니다. 그때까지 사진과 데이터는 서버의 임시 폴더에, 결과는 서버의 메모리에
  있습니다.
- 실시간 탭의 카메라 화면은 디스크에 저장하지 않습니다. 다만 가장 좋은 장면을 사진 탭에서 보면 다른 사진과 같이 보관됩니다.
""",
    ),
    "about.api": (
        "## The API\n\nThere are three endpoints, for HTTP and for Python: `/assess` (an image), `/judge` (measures; no "
        "model runs) and `/models`. They are described under *Use via API* at the foot of the page. `python app.py --mcp` "
        "offers the same three to language models.",
        "## API\n\nHTTP와 파이썬으로 쓸 수 있는 세 가지가 있습니다. `/assess`(이미지), `/judge`(측정값, 신경망 없이), `/models`입니다. "
        "자세한 설명은 페이지 아래의 *API를 통해 사용*에 있으며, `python app.py --mcp`로 언어 모델에도 제공할 수 있습니다.",
    ),
}

TEXT: Mapping[str, tuple[str, str]] = {**OWN, **OF_THE_REGISTRY}
"""Every sentence by its key, in the order of `LANGUAGES`."""

PIECE = "piece."
"""Prefix of the keys of whole pieces of HTML."""

PIECES: dict[str, Callable[[Language], str]] = {}


def say(key: str) -> I18nData:
    """A label that the browser shows in its own language."""
    return I18nData(key)


def say_html(name: str, html: Callable[[Language], str]) -> I18nData:
    """The same for a piece of HTML."""
    PIECES[f"{PIECE}{name}"] = html
    return I18nData(f"{PIECE}{name}")


def text(key: str, language: Language, **values: Any) -> str:
    """A sentence in a language, with its blanks filled."""
    sentence = TEXT[key][LANGUAGES.index(language)]
    return sentence.format(**values) if values else sentence


def named(key: str, language: Language) -> str:
    """What a stage or a role is called; the end of its key, where it is newer than the wording."""
    return text(key, language) if key in TEXT else key.partition(".")[2].replace("_", " ")


def words(language: Language, *keys: str, **renamed: str) -> dict[str, str]:
    """Several words at once, by their keys or under other names."""
    return {name: text(key, language) for name, key in {**{key: key for key in keys}, **renamed}.items()}


def error_message(error: Exception, language: Language) -> str:
    """What a user is told of an error: its own sentence where it has one. Others are ours to know of."""
    if not isinstance(error, FaceqaError):
        log.error("the demo failed", exc_info=error)
        return text("failed", language)
    if language == DEFAULT or error.code not in WORDINGS:
        return error.message
    said = WORDINGS[error.code]
    return f"{said.message.in_language(language)} {said.advice.in_language(language)}"


def page_translations() -> gr.I18n:
    """All that Gradio translates in the browser; to be called when the page is built."""
    return gr.I18n(
        **{
            language: {
                **{key: pair[i] for key, pair in TEXT.items()},
                **{key: html(language) for key, html in PIECES.items()},
            }
            for i, language in enumerate(LANGUAGES)
        }
    )
