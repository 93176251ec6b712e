// The Live tab: opens the camera, sends its frames to the server a few at a time (demo/live.py), and shows each with
// its verdict. The camera is let go on Stop, when the tab is left, and after `minutes`.
const find = (what) => element.querySelector(what);
const canvas = find('canvas'), video = document.createElement('video');
const idle = {};
element.querySelectorAll('[data-place]').forEach((place) => { idle[place.dataset.place] = place.innerHTML; });
const atOnce = 2, minutes = 10, quality = 0.85;
const problems = {NotAllowedError: 'refused', SecurityError: 'refused', NotFoundError: 'missing',
  OverconstrainedError: 'missing', NotReadableError: 'busy', AbortError: 'busy'};
let stream = null, sent = 0, shown = 0, ends;
video.muted = video.playsInline = true;

const tell = (problem) => element.querySelectorAll('[data-problem]')
  .forEach((said) => { said.hidden = said.dataset.problem !== problem; });
const place = (name, html) => { find(`[data-place=${name}]`).innerHTML = html; };
const clear = () => {
  canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
  place('overlay', '');
  place('card', idle.card);
};

const start = async () => {
  tell('');
  if (!navigator.mediaDevices) return tell('insecure');
  try {
    const wanted = {width: canvas.width, height: canvas.height};
    stream = await navigator.mediaDevices.getUserMedia({video: wanted});
  } catch (error) {
    return tell(problems[error.name] || 'busy');
  }
  stream.getVideoTracks()[0].addEventListener('ended', () => { stop(); tell('lost'); });
  video.srcObject = stream;
  await video.play();
  element.dataset.running = '';
  find('[data-do=start]').hidden = true;
  find('[data-do=stop]').hidden = false;
  find('[data-do=stop]').focus();
  ends = setTimeout(stop, minutes * 60000);
  for (let number = 0; number < atOnce; number++) judge(stream);
};

const stop = () => {
  clearTimeout(ends);
  stream?.getTracks().forEach((track) => track.stop());
  stream = video.srcObject = null;
  delete element.dataset.running;
  find('[data-do=start]').hidden = false;
  find('[data-do=stop]').hidden = true;
  clear();
};

// A frame as the visitor knows herself: mirrored.
const grab = (onto) => {
  [onto.width, onto.height] = [video.videoWidth, video.videoHeight];
  const drawn = onto.getContext('2d');
  drawn.setTransform(-1, 0, 0, 1, onto.width, 0);
  drawn.drawImage(video, 0, 0);
};

const show = (frame) => {
  if (canvas.width !== frame.width || canvas.height !== frame.height) {
    [canvas.width, canvas.height] = [frame.width, frame.height];
  }
  canvas.getContext('2d').drawImage(frame, 0, 0);
};

const base64 = (blob) => new Promise((done) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result.split(',')[1]);
  reader.readAsDataURL(blob);
});

const judge = async (mine) => {
  const frame = document.createElement('canvas');
  while (stream === mine) {
    const number = ++sent;
    grab(frame);
    const blob = await new Promise((done) => frame.toBlob(done, 'image/jpeg', quality));
    const message = {frame: await base64(blob), key: sessionStorage.faceqa, language: document.documentElement.lang};
    let answer;
    try {
      answer = await server.judge_frame(message);
    } catch {
      answer = {problem: 'unreachable'};
    }
    if (stream !== mine) return;
    if (answer.problem || answer.error) {
      stop();
      return tell(answer.problem || 'busy');
    }
    if (number < shown) continue;
    shown = number;
    show(frame);
    Object.entries(answer).forEach(([name, html]) => place(name, html));
  }
};

element.addEventListener('click', (event) => {
  const chosen = event.target.closest('[data-do]')?.dataset.do;
  if (chosen === 'start') start();
  if (chosen === 'stop') stop();
  if (chosen === 'send') trigger('submit');
  if (chosen === 'forget') {
    trigger('clear');
    Object.entries(idle).forEach(([name, html]) => place(name, html));
  }
});
new ResizeObserver(() => { if (stream && !element.offsetParent) stop(); }).observe(element);
