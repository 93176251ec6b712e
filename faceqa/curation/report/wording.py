"""Every sentence of the report and its figures; measures and reasons bring their own words along."""

from __future__ import annotations

from collections.abc import Mapping

from faceqa.languages import Words

FIGURE_WORDS: Mapping[str, Words] = {
    "kept": Words("kept", "남김"),
    "rejected": Words("rejected", "제외"),
    "histogram": Words("Histogram of {title}.", "{title} 분포."),
    "bar": Words(
        "{start} to {end}: {kept} kept, {rejected} rejected", "{start}~{end}: 남김 {kept}, 제외 {rejected}"
    ),
    "scatter": Words(
        "Scatter plot of {x} and {y}: kept faces are circles, rejected faces are crosses.",
        "{x}와 {y}의 산점도. 남긴 얼굴은 원, 제외한 얼굴은 엑스로 표시합니다.",
    ),
    "lines": Words("the dashed lines are the limits", "점선은 기준선"),
    "drawn": Words("({points} of {faces} faces are drawn)", "(얼굴 {faces}개 중 {points}개를 표시)"),
    "below": Words("gate failed", "기준 미달"),
    "above": Words("gate passed", "기준 통과"),
    "score.above": Words("score high enough", "점수 기준 통과"),
    "score.below": Words("score too low", "점수 기준 미달"),
    "replaced": Words("for information: {measure} stands at the gate", "참고용(필수 기준은 {measure})"),
    "numbers": Words("numbers", "숫자로 보기"),
    "nothing": Words("No face was found.", "얼굴을 찾지 못했습니다."),
    "min": Words("lowest", "최솟값"),
    "p5": Words("5 % are below", "하위 5%"),
    "p25": Words("25 % are below", "하위 25%"),
    "p50": Words("median", "중앙값"),
    "p75": Words("75 % are below", "하위 75%"),
    "p95": Words("95 % are below", "하위 95%"),
    "max": Words("highest", "최댓값"),
    "mean": Words("mean", "평균"),
}
"""Those that `figures.js` needs; the names of the quantiles are those of `Summary.measures`."""

PAGE_WORDS: Mapping[str, Words] = {
    "title": Words("Face quality report", "얼굴 품질 보고서"),
    "more_sources": Words("and {count} more", "외 {count}개"),
    "language": Words("Language", "언어"),
    "to_faces": Words("To the faces", "얼굴 보기"),
    "script": Words(
        "The figures, the pictures and the slider need JavaScript, which is switched off here.",
        "그래프와 얼굴 사진, 슬라이더를 보려면 자바스크립트를 켜야 합니다.",
    ),
    # Counts
    "overview": Words("Which faces are kept", "남긴 얼굴"),
    "images": Words("images", "이미지"),
    "faces": Words("faces", "얼굴"),
    "kept": Words("kept", "남김"),
    "rejected": Words("rejected", "제외"),
    "faceless": Words("images without a face", "얼굴 없는 이미지"),
    "errors": Words("not assessed", "평가 불가"),
    "share": Words(
        "{kept} of {faces} faces are kept ({percent} %).",
        "얼굴 {faces}개 중 {kept}개를 남깁니다({percent}%).",
    ),
    "no_faces": Words("No face was found.", "얼굴을 찾지 못했습니다."),
    "told_duplicates": Words(
        "Nearly the same picture as a better one: {duplicates} of the faces (groups: {groups}).",
        "얼굴 {duplicates}개는 더 나은 사진과 거의 같습니다(그룹 {groups}개).",
    ),
    # Videos
    "films": Words("Segments of the videos", "동영상 구간"),
    "films.note": Words(
        "The stretches in which one face is good throughout: {segments}, together {seconds:.0f} s.",
        "한 얼굴이 계속 기준을 통과하는 구간: {segments}개, 모두 {seconds:.0f}초.",
    ),
    "films.more": Words("{count} more are in segments.csv.", "나머지 {count}개는 segments.csv에 있습니다."),
    "films.one": Words(
        "{time}, CAFI {mean:.0f}, lowest {lowest:.0f}", "{time}, CAFI {mean:.0f}, 최저 {lowest:.0f}"
    ),
    # Slider
    "preview": Words(
        "A preview: the files of this run still go by {limit}. A face that fails a gate stays rejected.",
        "미리 보기입니다. 이 실행의 파일은 여전히 기준 {limit}에 따릅니다. "
        "필수 기준에 미달한 얼굴은 계속 제외됩니다.",
    ),
    "preview_best": Words(
        "The run keeps the best faces only; the slider goes by the threshold alone.",
        "이 실행은 상위 얼굴만 남기지만, 슬라이더는 점수 기준만 적용합니다.",
    ),
    "reset": Words("Back to {limit}", "원래 기준 {limit}"),
    "kept_of": Words("{kept} of {faces} kept", "{faces}개 중 {kept}개 남김"),
    # Reasons
    "reasons": Words("Why faces are rejected", "제외한 이유"),
    "reasons.note": Words(
        "A face can have several reasons. Click a reason to see its faces.",
        "얼굴 하나에 이유가 여러 개일 수 있습니다. 이유를 누르면 해당 얼굴을 볼 수 있습니다.",
    ),
    "reason": Words("reason", "이유"),
    "count": Words("number", "개수"),
    "advice": Words("what helps", "개선 방법"),
    "no_reasons": Words("Nothing was rejected.", "제외한 것이 없습니다."),
    # Causes
    "causes": Words("What the poor pictures suffer from", "화질이 낮은 원인"),
    "causes.note": Words(
        "The strongest cause of each face whose score or SER-FIQ is too low, with the thresholds of the run. "
        "Click a cause to see its faces.",
        "점수나 SER-FIQ가 낮은 얼굴마다 가장 큰 원인 하나를 이 실행의 기준으로 셉니다. "
        "원인을 누르면 해당 얼굴을 볼 수 있습니다.",
    ),
    "cause": Words("Cause", "원인"),
    "cause.any": Words("Any cause", "모든 원인"),
    "cause.likely": Words("Likely: {causes}", "주된 원인: {causes}"),
    # Thresholds
    "thresholds": Words("Which threshold keeps how many", "기준값과 남는 얼굴 수"),
    "thresholds.note": Words(
        "{passing} of {faces} faces pass the gates. To keep a share of them, take the threshold beside it.",
        "얼굴 {faces}개 중 {passing}개가 필수 기준을 통과합니다. 남길 비율에 맞는 기준값을 고르세요.",
    ),
    "keep": Words("share kept", "남는 비율"),
    "try": Words("try", "적용"),
    # Figures
    "figures": Words("Distributions", "분포"),
    "figures.note": Words(
        "With the thresholds of the run. Point at a bar or a mark for its numbers.",
        "이 실행의 기준을 따릅니다. 막대나 점 위에 마우스를 올리면 값을 볼 수 있습니다.",
    ),
    "measures": Words("All measures in numbers", "모든 측정값을 숫자로 보기"),
    "measure": Words("measure", "측정값"),
    "components": Words("Quality components (ISO/IEC 29794-5)", "품질 항목(ISO/IEC 29794-5)"),
    "component": Words("component, 0 to 100", "항목(0~100)"),
    "minimum": Words("{component}, at least", "{component} 하한"),
    # Settings
    "settings": Words("What this report goes by", "이 보고서의 기준"),
    "limits": Words("Thresholds", "기준"),
    "run": Words("Run", "실행 정보"),
    "date": Words("Date of the run", "실행 날짜"),
    "keep_top": Words("Kept at most", "최대로 남기는 수"),
    "keep_top.value": Words("the best {count}", "상위 {count}개"),
    "keep_fraction.value": Words(
        "the best {percent} % of the faces that pass the gates", "필수 기준을 통과한 얼굴의 상위 {percent}%"
    ),
    "scope": Words("Assessed", "평가 대상"),
    "scope.all": Words("every face of an image", "이미지의 모든 얼굴"),
    "scope.largest": Words("the largest face of an image", "이미지에서 가장 큰 얼굴"),
    "duplicates": Words("Near-duplicates", "중복에 가까운 사진"),
    "duplicates.best": Words("the best of each group is kept", "그룹마다 가장 좋은 사진만 남김"),
    "duplicates.all": Words("told, and kept like the others", "표시만 하고 다른 사진처럼 처리"),
    "levelled": Words("Levelled", "보정"),
    "levelled.by": Words("by {faces} good faces of {people} people", "{people}명의 좋은 얼굴 {faces}개 기준"),
    "levelled.not": Words(
        "no: too few people with a good face, or nothing to learn from them",
        "안 함: 좋은 얼굴이 있는 사람이 너무 적거나 배울 차이가 없음",
    ),
    "models": Words("Models", "모델"),
    "weights": Words("Fingerprint of the models", "모델 지문"),
    "version": Words("Version of faceqa", "faceqa 버전"),
    "sources": Words("Sources", "입력"),
    # Faces
    "gallery": Words("All faces", "모든 얼굴"),
    "gallery.note": Words(
        "Images without a face and images that could not be read are shown, too. Click a picture to see why.",
        "얼굴이 없거나 읽을 수 없는 이미지도 함께 표시합니다. 사진을 누르면 이유를 볼 수 있습니다.",
    ),
    "sample": Words(
        "This page shows {shown} of {all} results, evenly spaced, so that it stays small enough to open. "
        "The counts above are those of all; scores.csv lists every face.",
        "페이지가 너무 커지지 않도록 결과 {all}개 중 {shown}개를 고른 간격으로 보여 줍니다. "
        "위의 개수는 전체 기준이며, 모든 얼굴은 scores.csv에 있습니다.",
    ),
    "sort": Words("Sort by", "정렬"),
    "sort.name": Words("Name", "이름"),
    "reverse": Words("Reverse the order", "순서 뒤집기"),
    "show": Words("Show", "보기"),
    "show.all": Words("All", "전체"),
    "show.accept": Words("Kept", "남김"),
    "show.reject": Words("Rejected", "제외"),
    "show.error": Words("Not assessed", "평가 불가"),
    "why": Words("Reason", "이유"),
    "why.any": Words("Any reason", "모든 이유"),
    "shown": Words("{count} shown", "{count}개 표시"),
    "none_fits": Words("Nothing fits these filters.", "조건에 맞는 얼굴이 없습니다."),
    "no_picture": Words("no picture", "사진 없음"),
    "face_of": Words("Face {number} of {faces}", "얼굴 {number}/{faces}"),
    "alt": Words("Face in {name}", "{name}의 얼굴"),
    # One face
    "previous": Words("Previous", "이전"),
    "next": Words("Next", "다음"),
    "close": Words("Close", "닫기"),
    "place": Words("{number} of {all}", "{all}개 중 {number}번째"),
    "at_least": Words("at least {limit}", "{limit} 이상"),
    "at_most": Words("at most {limit}", "{limit} 이하"),
    "passes": Words("passes", "통과"),
    "fails": Words("fails", "미달"),
    "yaw": Words("Yaw", "좌우"),
    "pitch": Words("Pitch", "상하"),
    "roll": Words("Roll", "기울기"),
    "eyes": Words("Between the eyes", "두 눈 사이"),
    "size": Words("Image", "이미지"),
    "duplicate_of": Words("Nearly the same as", "거의 같은 사진"),
}

ROLES: Mapping[str, Words] = {
    "detection": Words("Detection", "검출"),
    "embedding": Words("Embedding", "임베딩"),
    "face_mask": Words("Face mask", "얼굴 마스크"),
    "apertures": Words("Eyes and mouth", "눈과 입"),
    "iqa": Words("Picture quality", "화질"),
}
"""Of the models."""
