"""Every sentence of the demo, in English and Korean.

The page is first drawn in the browser's language, by Gradio (`page_translations`). The switch in the header
then writes the labels of the other language over it, and every answer of the server comes in the language that
the switch shows.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from demo.limits import MOST_IMAGES, MOST_MEGABYTES, MOST_MEGABYTES_A_FILE
from faceqa.errors import FaceqaError
from faceqa.fusion import MIN_FACE_SIZE
from faceqa.verdict.reasons import LANGUAGES, WORDINGS
from faceqa.types import Language, Policy

DEFAULT: Language = "en"

POLICY = Policy()
"""The default, for the sentences that name it."""

log = logging.getLogger(__name__)

TEXT: dict[str, tuple[str, str]] = {
    # The page
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
        "Something went wrong on our side. Nothing of yours is lost: please try again.",
        "서버에서 문제가 발생했습니다. 잃은 것은 없으니 다시 시도해 주세요.",
    ),
    "note.busy": (
        "The demo is busy: many people are using it right now. Please try again in a moment.",
        "지금 사용자가 많아 대기열이 가득 찼습니다. 잠시 뒤 다시 시도해 주세요.",
    ),
    "note.too_large": (
        f"The file is too large: at most {MOST_MEGABYTES_A_FILE} MB can be sent.",
        f"파일이 너무 큽니다. 최대 {MOST_MEGABYTES_A_FILE}MB까지 올릴 수 있습니다.",
    ),
    # Names
    "ser_fiq": ("SER-FIQ", "SER-FIQ"),
    "dbcnn": ("DBCNN", "DBCNN"),
    "dbcnn.plain": ("picture quality", "화질"),
    "cafi": ("CAFI", "CAFI"),
    "covered": ("covered", "가려짐"),
    "yaw": ("yaw", "좌우"),
    "pitch": ("pitch", "상하"),
    "roll": ("roll", "기울기"),
    "threshold": ("threshold", "기준"),
    "accept": ("ACCEPT", "합격"),
    "reject": ("REJECT", "불합격"),
    "error": ("NOT ASSESSED", "평가 불가"),
    # Photo
    "photo.input": ("A photo of a face", "얼굴 사진"),
    "photo.placeholder": (
        "# Drop a photo here\nor click to choose one, paste it, or take it with the camera",
        "# 여기에 사진을 놓으세요\n클릭해서 고르거나, 붙여 넣거나, 카메라로 찍을 수도 있습니다",
    ),
    "examples": ("Or try one of these, with one click", "또는 아래 예시를 눌러 보세요"),
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
        "faceqa gives each face one number from 0 to 100, one verdict and the reasons. It needs no reference "
        "image and asks no outside service.",
        "faceqa는 얼굴마다 0~100의 점수 하나와 판정, 그 이유를 알려 줍니다. 비교할 원본 사진이 필요 없고 외부 "
        "서비스도 쓰지 않습니다.",
    ),
    "verdict.accept": (
        "This face is good enough to train on.",
        "학습에 쓰기 좋은 얼굴입니다.",
    ),
    "verdict.cafi": ("CAFI, of 100", "CAFI (100점 만점)"),
    "verdict.no_cafi": ("no CAFI: a gate failed", "필수 기준 미달로 CAFI 없음"),
    "percentiles": ("Better than … of the reference photographs", "참조 사진 중 이보다 낮은 사진의 비율"),
    "percent": ("{percent} %", "{percent}%"),
    "pass_rate": (
        "With these thresholds {percent} % of the reference photographs pass.",
        "이 기준이면 참조 사진의 {percent}%가 합격합니다.",
    ),
    "faces": ("{count} faces found: choose one", "얼굴 {count}개를 찾았습니다. 하나를 고르세요"),
    "face.n": ("Face {number}", "얼굴 {number}"),
    "way": ("How the verdict comes about", "판정이 나오기까지"),
    "step.photo": ("Find the face", "얼굴 찾기"),
    "step.crop": ("Cut it out", "얼굴 자르기"),
    "step.ser_fiq": ("Recognisable?", "알아볼 수 있는가?"),
    "step.mask": ("Uncovered?", "가려지지 않았는가?"),
    "step.dbcnn": ("Picture quality", "화질"),
    "step.cafi": ("The result", "결과"),
    "step.photo.idle": (
        "YuNet looks for faces and five landmarks.",
        "YuNet이 얼굴과 다섯 개의 특징점을 찾습니다.",
    ),
    "step.crop.idle": (
        "The square around the face, and how the head is turned.",
        "얼굴 주변과 고개의 방향을 봅니다.",
    ),
    "step.ser_fiq.idle": (
        "SER-FIQ: does a recognition network see a stable face?",
        "SER-FIQ: 인식 신경망에 얼굴이 안정적으로 보이는지 잽니다.",
    ),
    "step.mask.idle": (
        "Where the face is, and which part of it is hidden.",
        "얼굴의 윤곽과 가려진 부분을 찾습니다.",
    ),
    "step.dbcnn.idle": (
        "DBCNN scores blur, noise and resolution of the face alone.",
        "DBCNN이 얼굴만 보고 흐림, 잡음, 해상도를 평가합니다.",
    ),
    "step.cafi.idle": ("Gates first, then the score.", "필수 기준을 먼저 보고 점수를 매깁니다."),
    "alt.photo": (
        "The photo with a frame around each face and dots on the eyes, nose and mouth corners",
        "각 얼굴에 테두리가, 눈·코·입꼬리에 점이 표시된 사진",
    ),
    "alt.crop": (
        "The face crop with arrows that show how the head is turned",
        "고개 방향을 화살표로 표시한 얼굴 사진",
    ),
    "alt.aligned": ("The aligned face as the recognition network sees it", "인식 신경망이 보는 정렬된 얼굴"),
    "alt.mask": (
        "The face crop; the visible face is filled, covered parts are hatched",
        "보이는 부분은 색으로, 가려진 부분은 빗금으로 표시한 얼굴 사진",
    ),
    "alt.masked": ("The face without its background", "배경을 지운 얼굴"),
    "overlay.opacity": ("Overlay", "표시 진하기"),
    "overlay.reveal": ("Before / after", "전 / 후"),
    "number.faces": (
        "Faces: {count} · confidence {confidence:.0%}",
        "얼굴 {count}개 · 신뢰도 {confidence:.0%}",
    ),
    "number.photo": ("photo {width} × {height} px", "사진 {width} × {height}픽셀"),
    "number.face_size": ("face {size:.0f} px", "얼굴 {size:.0f}픽셀"),
    "number.face_size.limit": ("at least {limit} px", "{limit}픽셀 이상"),
    "number.eyes": ("eyes {distance:.0f} px apart", "두 눈 사이 {distance:.0f}픽셀"),
    "pose.unknown": ("head pose unknown", "고개 방향을 알 수 없음"),
    "pose.frontal": ("looks into the camera", "정면을 봄"),
    "pose.turned": ("turned", "옆을 봄"),
    "gauge.ser_fiq": ("SER-FIQ {value}, at least {limit}", "SER-FIQ {value}, 기준 {limit} 이상"),
    "gauge.covered": ("covered {value}, at most {limit}", "가려짐 {value}, 기준 {limit} 이하"),
    "gauge.cafi": ("CAFI {value}, at least {limit}", "CAFI {value}, 기준 {limit} 이상"),
    "gauge.at_least": ("at least {limit}", "{limit} 이상"),
    "gauge.at_most": ("at most {limit}", "{limit} 이하"),
    "number.whole": ("with background {value}", "배경 포함 {value}"),
    "number.alone": ("face alone {value}", "얼굴만 {value}"),
    # Policy
    "policy": ("What counts as good enough", "합격 기준"),
    "policy.preset": ("Preset", "프리셋"),
    "preset.reference": ("Reference", "참조"),
    "preset.balanced": ("Balanced", "균형"),
    "preset.strict": ("Strict", "엄격"),
    "policy.ser_fiq": ("SER-FIQ, at least", "SER-FIQ 하한"),
    "policy.occlusion": ("Covered, at most", "가려짐 상한"),
    "policy.cafi": ("CAFI, at least", "CAFI 하한"),
    "policy.weights": ("Weights of the CAFI", "CAFI 가중치"),
    "policy.ser_fiq_weight": ("Weight of SER-FIQ", "SER-FIQ 가중치"),
    "policy.dbcnn_weight": ("Weight of DBCNN", "DBCNN 가중치"),
    "policy.reset": ("Reset", "초기화"),
    "policy.note": (
        "Moving a slider judges the stored measures again: no network runs.",
        "슬라이더를 움직이면 저장된 측정값으로 다시 판정합니다. 신경망은 돌지 않습니다.",
    ),
    "parts": ("What makes up the CAFI", "CAFI의 구성"),
    "parts.alt": (
        "CAFI {cafi:.1f} = SER-FIQ {ser_fiq:.1f} × {ser_share:.0%} + DBCNN {dbcnn:.1f} × {dbcnn_share:.0%}",
        "CAFI {cafi:.1f} = SER-FIQ {ser_fiq:.1f} × {ser_share:.0%} + DBCNN {dbcnn:.1f} × {dbcnn_share:.0%}",
    ),
    "parts.gated": (
        "The score is shown for comparison; a gate failed, so it does not count.",
        "비교를 위한 점수입니다. 필수 기준에 미달하여 인정되지 않습니다.",
    ),
    "parts.idle": ("The parts of the score appear here.", "점수의 구성이 여기에 나옵니다."),
    "details": ("Timings and models", "처리 시간과 모델"),
    "details.stage": ("Stage", "단계"),
    "details.ms": ("Milliseconds", "밀리초"),
    "details.role": ("Role", "역할"),
    "details.model": ("Model", "모델"),
    "stage.decoding": ("Reading the file", "파일 읽기"),
    "stage.detection": ("Finding faces", "얼굴 찾기"),
    "stage.refinement": ("A closer look at the face", "얼굴 자세히 보기"),
    "stage.alignment": ("Alignment and crop", "정렬과 자르기"),
    "stage.pose": ("Head pose", "고개 방향"),
    "stage.ser_fiq": ("SER-FIQ", "SER-FIQ"),
    "stage.mask": ("Face mask", "얼굴 마스크"),
    "stage.dbcnn": ("DBCNN, face alone", "DBCNN(얼굴만)"),
    "stage.dbcnn_unmasked": ("DBCNN, with background", "DBCNN(배경 포함)"),
    "stage.total": ("Together", "합계"),
    "role.detection": ("Detection", "검출"),
    "role.embedding": ("Embedding", "임베딩"),
    "role.face_mask": ("Face mask", "얼굴 마스크"),
    "role.iqa": ("Picture quality", "화질"),
    "role.calibration": ("Calibration", "보정 자료"),
    "details.idle": ("They appear with the first photo.", "첫 사진을 평가하면 표시됩니다."),
    "download.json": ("Result (JSON)", "결과 (JSON)"),
    "download.masked": ("Masked face (PNG)", "배경을 지운 얼굴 (PNG)"),
    "download.annotated": ("Annotated photo (JPEG)", "표시된 사진 (JPEG)"),
    "downloads": ("Download", "내려받기"),
    "downloads.idle": ("The files appear with the first photo.", "첫 사진을 평가하면 파일이 나옵니다."),
    # Live
    "live.intro": (
        "Allow the camera and press record. Every frame is judged on this server and thrown away at once; only the "
        "best one is kept, for this page. Thresholds are those of the Photo tab. A stream ends by itself after ten minutes.",
        "카메라를 허용하고 녹화 버튼을 누르세요. 모든 화면은 이 서버에서 평가한 뒤 바로 버리며, 가장 좋은 한 장만 이 "
        "페이지를 위해 남겨 둡니다. 기준은 사진 탭과 같습니다. 10분이 지나면 자동으로 끝납니다.",
    ),
    "live.camera": ("Camera", "카메라"),
    "live.idle": (
        "Click the camera, then Record: the verdict appears here.",
        "카메라를 누르고 녹화를 시작하면 판정이 여기에 나옵니다.",
    ),
    "live.rate": ("{rate:.1f} frames a second", "초당 {rate:.1f}장"),
    "live.trace": (
        "SER-FIQ times 100 and CAFI over the last minute, with their thresholds",
        "최근 1분간의 SER-FIQ(×100)와 CAFI 및 기준선",
    ),
    "live.now": ("now", "지금"),
    "live.ago": ("a minute ago", "1분 전"),
    "live.best": ("Best frame so far", "지금까지 가장 좋은 장면"),
    "live.best.idle": ("The best frame appears here.", "가장 좋은 장면이 여기에 나옵니다."),
    "live.send": ("Show the best frame on the Photo tab", "가장 좋은 장면을 사진 탭에서 보기"),
    "live.none": ("There is no frame with a face yet.", "아직 얼굴이 있는 장면이 없습니다."),
    "live.forget": ("Start over", "처음부터"),
    "camera.refused": (
        "The camera was refused. Allow it in the browser's address bar, then reload the page.",
        "카메라 사용이 거부되었습니다. 브라우저 주소창에서 허용한 뒤 새로고침하세요.",
    ),
    "camera.missing": (
        "No camera was found. Connect one and press the camera button again, or use a photo.",
        "카메라를 찾지 못했습니다. 카메라를 연결하고 카메라 버튼을 다시 누르거나 사진을 사용하세요.",
    ),
    "camera.busy": (
        "The camera cannot be opened: another program may be using it. Close that and try again.",
        "카메라를 열 수 없습니다. 다른 프로그램이 사용 중일 수 있으니 닫고 다시 시도하세요.",
    ),
    "camera.lost": (
        "The camera was lost. Connect it again and press the camera button.",
        "카메라 연결이 끊어졌습니다. 다시 연결하고 카메라 버튼을 누르세요.",
    ),
    "camera.insecure": (
        "Browsers give the camera only to pages from this machine or over HTTPS. Open the page that way.",
        "브라우저는 이 컴퓨터의 페이지나 HTTPS 페이지에만 카메라를 허용합니다. 그런 주소로 여세요.",
    ),
    # Compare
    "compare.table": ("Side by side", "나란히 비교"),
    "compare.intro": (
        "Two to six photos, as in the reference study: SER-FIQ sees whether a face can be recognised, DBCNN how good "
        "the picture is, and CAFI puts the two together.",
        "두 장에서 여섯 장까지 비교합니다. SER-FIQ는 얼굴을 알아볼 수 있는지를, DBCNN은 화질을 보고, CAFI는 "
        "둘의 장점을 합칩니다.",
    ),
    "compare.files": ("Two to six photos", "사진 두 장에서 여섯 장"),
    "compare.examples": ("Compare the examples", "예시 비교하기"),
    "compare.run": ("Compare", "비교하기"),
    "compare.count": (
        "Choose two to six photos, not {count}.",
        "사진을 두 장에서 여섯 장까지 고르세요. 지금은 {count}장입니다.",
    ),
    "compare.idle": ("The table appears here.", "표가 여기에 나옵니다."),
    "compare.whole": ("DBCNN, whole crop", "DBCNN(배경 포함)"),
    "compare.best": ("best", "최고"),
    "compare.verdict": ("Verdict", "판정"),
    "compare.image": ("Photo", "사진"),
    "stress": ("Stress test", "스트레스 테스트"),
    "stress.intro": (
        "The photo of the Photo tab (or the first example) is made worse step by step. See which curve falls first: "
        "blur, noise and a low resolution take the picture quality while the face can still be recognised; a covered "
        "face may stay as sharp as before. That is why it takes two metrics.",
        "사진 탭의 사진(없으면 첫 번째 예시)을 단계적으로 나쁘게 만듭니다. 어느 곡선이 먼저 떨어지는지 보세요. 흐림, 잡음, "
        "낮은 해상도는 얼굴을 아직 알아볼 수 있을 때 이미 화질을 떨어뜨리고, 가려진 얼굴은 화질이 그대로일 수 있습니다. 그래서 "
        "두 가지 지표가 필요합니다.",
    ),
    "stress.kind": ("Make it worse by", "나쁘게 만드는 방법"),
    "stress.resolution": ("Resolution", "해상도"),
    "stress.blur": ("Blur", "흐림"),
    "stress.jpeg": ("JPEG", "JPEG 압축"),
    "stress.noise": ("Noise", "잡음"),
    "stress.darkness": ("Darkness", "어두움"),
    "stress.mask": ("Drawn mask", "그려 넣은 마스크"),
    "stress.rotation": ("Rotation", "회전"),
    "stress.run": ("Run the stress test", "스트레스 테스트 실행"),
    "stress.no_face": (
        "The photo shows no face: choose another one on the Photo tab.",
        "사진에 얼굴이 없습니다. 사진 탭에서 다른 사진을 고르세요.",
    ),
    "stress.level": ("Level", "단계"),
    "stress.score": ("Score", "점수"),
    "stress.idle": ("Choose a kind and run the test.", "방법을 고르고 테스트를 실행하세요."),
    "unit.resolution": ("width of the face in px", "얼굴 폭(픽셀)"),
    "unit.blur": ("sigma, in % of the face", "시그마(얼굴 크기의 %)"),
    "unit.jpeg": ("JPEG quality", "JPEG 품질"),
    "unit.noise": ("standard deviation, of 255", "표준 편차(255 기준)"),
    "unit.darkness": ("stops under-exposed", "노출 부족(스톱)"),
    "unit.mask": ("% of the lower face covered", "얼굴 아래쪽이 가려진 정도(%)"),
    "unit.rotation": ("degrees", "회전 각도"),
    # Curate
    "curate.intro": (
        f"Photos, zips or videos: up to {MOST_IMAGES:,} images and {MOST_MEGABYTES} MB, {MOST_MEGABYTES_A_FILE} MB a file, "
        "two frames a second of a video. Files and results are yours alone and are deleted within the hour.",
        f"사진, zip 또는 동영상을 올리세요. 이미지는 최대 {MOST_IMAGES:,}장, 크기는 모두 {MOST_MEGABYTES}MB, 파일 하나는 "
        f"{MOST_MEGABYTES_A_FILE}MB까지이며 동영상은 1초에 두 장씩 봅니다. 파일과 결과는 본인만 볼 수 있고 한 시간 안에 삭제됩니다.",
    ),
    "curate.files": ("Photos, zip archives or videos", "사진, zip 압축 파일 또는 동영상"),
    "curate.run": ("Assess all", "모두 평가하기"),
    "curate.cancel": ("Cancel", "취소"),
    "curate.examples": ("Use the examples", "예시로 해 보기"),
    "curate.nothing": ("Choose some files first.", "먼저 파일을 고르세요."),
    "curate.too_many": (
        "That is more than {images} images. Send fewer at once, or use the command line, which has no limit.",
        "이미지가 {images}장보다 많습니다. 나누어 올리거나 제한이 없는 명령줄을 사용하세요.",
    ),
    "curate.too_large": (
        "That is more than {megabytes} MB. Send less at once, or use the command line, which has no limit.",
        "{megabytes}MB보다 큽니다. 나누어 올리거나 제한이 없는 명령줄을 사용하세요.",
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
    "curate.done": (
        "{total} images in {seconds:.1f} seconds.",
        "이미지 {total}장을 {seconds:.1f}초에 평가했습니다.",
    ),
    "curate.cancelled": ("Cancelled.", "취소했습니다."),
    "curate.idle": (
        "The number of kept faces, why the others are rejected, and the figures appear here.",
        "남길 얼굴의 수와 나머지가 탈락한 이유, 그래프가 여기에 나옵니다.",
    ),
    "curate.kept_of": ("kept {kept} of {total}", "{total}개 중 {kept}개 남김"),
    "curate.kept": ("Kept", "남김"),
    "curate.rejected": ("Rejected", "제외"),
    "curate.more": ("and {count} more: see the table", "외 {count}개는 표에서 볼 수 있습니다"),
    "curate.prepare": ("Prepare the downloads", "내려받을 파일 만들기"),
    "curate.downloads": ("Table (CSV), report page, kept images (zip)", "표(CSV), 보고서, 남긴 이미지(zip)"),
    "why.no_face": ("no face found", "얼굴 없음"),
    "why.face_too_small": ("face too small", "얼굴이 너무 작음"),
    "why.low_ser_fiq": ("hard to recognise", "알아보기 어려움"),
    "why.occluded": ("face covered", "얼굴이 가려짐"),
    "why.low_cafi": ("low picture quality", "화질이 낮음"),
    "why.not_among_best": ("not among the best", "상위에 들지 못함"),
    "why.unreadable_image": ("cannot be read", "읽을 수 없음"),
    "why.image_too_small": ("image too small", "이미지가 너무 작음"),
    "why.image_too_large": ("image too large", "이미지가 너무 큼"),
    "why.measure_failed": ("measure failed", "측정 실패"),
    # About
    "about.numbers": (
        f"""### How to read the numbers

**CAFI**, *Combined Advantages of FIQA and IQA*, is the one number: 0 to 100, higher is better. A face must first pass
three gates; then its score counts.

| | what it says | scale | good enough by default |
|---|---|---|---|
| **SER-FIQ** | how stable a recognition network finds the face: it falls for turned, covered and blurred faces | 0 to 1 | {POLICY.ser_fiq_threshold:.2f} or more |
| **Covered** | the share of the face that a mask, a hand, hair or an object hides | 0 to 100 % | {100 * POLICY.max_occlusion:g} % or less |
| **Face size** | the longer side of the face in the photo | px | {MIN_FACE_SIZE} px or more |
| **DBCNN** | how good the picture of the face is, without its background: blur, noise, compression, resolution, light | 0 to 100 | part of the CAFI |
| **CAFI** | the weighted mean of DBCNN and 100 × SER-FIQ; by default DBCNN alone, SER-FIQ only filters | 0 to 100 | {POLICY.cafi_threshold:g} or more |

SER-FIQ sees whether a face can be recognised but hardly minds a low resolution. DBCNN sees the picture but not what it
shows: a masked face may be perfectly sharp. Together they see both. *Better than 71 %* means: of the faces in a set
of reference photographs, 71 % have a lower value. The same photo always gets the same number.
""",
        f"""### 숫자 읽는 법

**CAFI**(Combined Advantages of FIQA and IQA)는 0~100의 점수 하나이며 높을수록 좋습니다. 얼굴이 먼저 세 가지 필수
기준을 통과해야 점수가 인정됩니다.

| | 의미 | 범위 | 기본 기준 |
|---|---|---|---|
| **SER-FIQ** | 인식 신경망이 얼굴을 얼마나 안정적으로 알아보는지. 옆을 보거나 가려지거나 흐리면 낮아집니다 | 0~1 | {POLICY.ser_fiq_threshold:.2f} 이상 |
| **가려짐** | 마스크, 손, 머리카락, 물건에 가려진 얼굴의 비율 | 0~100% | {100 * POLICY.max_occlusion:g}% 이하 |
| **얼굴 크기** | 사진에서 얼굴의 긴 변 | 픽셀 | {MIN_FACE_SIZE}픽셀 이상 |
| **DBCNN** | 배경을 뺀 얼굴의 화질: 흐림, 잡음, 압축, 해상도, 밝기 | 0~100 | CAFI에 반영 |
| **CAFI** | DBCNN과 100 × SER-FIQ의 가중 평균. 기본값에서는 DBCNN만 점수가 되고 SER-FIQ는 거르는 역할만 합니다 | 0~100 | {POLICY.cafi_threshold:g} 이상 |

SER-FIQ는 얼굴을 알아볼 수 있는지를 보지만 해상도에는 둔감합니다. DBCNN은 화질을 보지만 무엇이 찍혔는지는 모릅니다.
마스크를 쓴 얼굴도 아주 선명할 수 있습니다. 둘을 합치면 양쪽을 모두 볼 수 있습니다. “71%”는 참조 사진 속 얼굴
가운데 71%가 더 낮은 값을 가진다는 뜻입니다. 같은 사진은 언제나 같은 점수를 받습니다.
""",
    ),
    "about.not": (
        """### What the numbers are not

- **Not identity.** faceqa does not recognise, compare or remember anyone.
- **Not attractiveness or worth.** It measures a picture, never the person on it.
- **Not proof.** An accepted photo may still be forged, and a rejected one genuine. Do not decide about people with it.
- **Not equally sure everywhere.** Hats, dark glasses, strong profiles, drawings and children are harder; head pose comes
  from five points, and pitch is only a direction. Look at the steps on the Photo tab: they show what the models saw.
""",
        """### 이 숫자가 아닌 것

- **신원이 아닙니다.** faceqa는 누구인지 알아보거나 비교하거나 기억하지 않습니다.
- **외모나 가치의 평가가 아닙니다.** 사진을 평가할 뿐 사람을 평가하지 않습니다.
- **증거가 아닙니다.** 합격한 사진도 위조일 수 있고 불합격한 사진도 진짜일 수 있습니다. 이것으로 사람에 대한 결정을 내리지 마세요.
- **어디서나 똑같이 정확하지는 않습니다.** 모자, 짙은 안경, 옆얼굴, 그림, 어린이는 더 어렵습니다. 고개 방향은 다섯 점에서
  구하며 상하 각도는 대략의 방향일 뿐입니다. 사진 탭의 단계들이 모델이 본 것을 보여 줍니다.
""",
    ),
    "about.models": ("### Models and licences", "### 모델과 라이선스"),
    "about.model": ("Model", "모델"),
    "about.role": ("Role", "역할"),
    "about.licence": ("Licence", "라이선스"),
    "about.origin": ("Origin", "출처"),
    "about.cards": (
        "All of them may be used commercially, come with the installation and are checked against their SHA-256 "
        "before use. faceqa itself is under the Apache License 2.0; model cards are in `weights/README.md`.",
        "모두 상업적으로 쓸 수 있고 설치에 포함되어 있으며 쓰기 전에 SHA-256을 확인합니다. faceqa 자체는 Apache License 2.0을 "
        "따르며 모델 카드는 `weights/README.md`에 있습니다.",
    ),
    "about.privacy": (
        """### Privacy

- Everything runs on the machine that serves this page. Neither the page nor the server asks for anything outside: no
  fonts, no analytics, no account.
- An uploaded photo lies in this server's temporary folder and is deleted within three quarters of an hour. Results and
  pictures of the steps are in your page, and in the server's memory for half an hour.
- Camera frames are never written to the disk. The best one is in memory for half an hour.
- Files and results of the Curate tab are in a folder of your own and are deleted after half an hour.
""",
        """### 개인정보

- 모든 처리는 이 페이지를 제공하는 컴퓨터에서 이루어집니다. 페이지도 서버도 글꼴, 분석 도구, 계정 등 외부에 아무것도
  요청하지 않습니다.
- 올린 사진은 이 서버의 임시 폴더에 있다가 45분 안에 삭제됩니다. 결과와 단계별 그림은 여러분의 페이지와, 30분 동안 서버
  메모리에만 있습니다.
- 카메라 화면은 디스크에 저장하지 않습니다. 가장 좋은 한 장만 30분 동안 메모리에 둡니다.
- 데이터 선별의 파일과 결과는 본인만의 폴더에 있으며 30분이 지나면 삭제됩니다.
""",
    ),
    "about.api": (
        "### The API\n\nThree endpoints, over HTTP and from Python: `/assess` (an image), `/judge` (measures; no model runs) and "
        "`/models`. The full description is behind *Use via API* at the foot of the page; `python app.py --mcp` offers "
        "them to language models, too.",
        "### API\n\nHTTP와 파이썬으로 쓸 수 있는 세 가지가 있습니다. `/assess`(이미지), `/judge`(측정값, 신경망 없이), `/models`입니다. "
        "자세한 설명은 페이지 아래의 *API를 통해 사용*에 있으며, `python app.py --mcp`로 언어 모델에도 제공할 수 있습니다.",
    ),
}

PIECE = "piece."
"""Prefix of the keys of whole pieces of HTML."""

PIECES: dict[str, Callable[[Language], str]] = {}

TRANSLATION_MARK = re.compile(r"__i18n__(.*)")
"""How Gradio writes a label that the browser is to translate (`gradio.i18n.I18nData`)."""


def say(key: str) -> I18nData:
    """A label that the browser shows in its own language."""
    return I18nData(key)


def say_html(name: str, html: Callable[[Language], str]) -> I18nData:
    """The same for a piece of HTML; whoever shows it writes it anew when the language is switched."""
    PIECES[f"{PIECE}{name}"] = html
    return I18nData(f"{PIECE}{name}")


def text(key: str, language: Language, **values: Any) -> str:
    """A sentence in a language, with its blanks filled."""
    sentence = TEXT[key][LANGUAGES.index(language)]
    return sentence.format(**values) if values else sentence


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
    return " ".join(WORDINGS[error.code][language])


def translated(demo: gr.Blocks) -> list[tuple[gr.blocks.Block, str, str]]:
    """Every label of the page that `say` gave: component, property, key."""
    found = []
    for block in demo.blocks.values():
        for name in ("label", "value", "placeholder", "info"):
            marked = TRANSLATION_MARK.fullmatch(str(getattr(block, name, "")))
            key = json.loads(marked[1])["key"] if marked else PIECE
            if not key.startswith(PIECE):
                found.append((block, name, key))
    return found


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
