// Browsers say what is wrong with a camera only to whoever asked for it, so the question is listened to.
const show = (problem) => {
  element.querySelectorAll('[data-problem]').forEach((p) => { p.hidden = p.dataset.problem !== problem; });
};
const problems = {NotAllowedError: 'refused', SecurityError: 'refused', NotFoundError: 'missing',
  OverconstrainedError: 'missing', NotReadableError: 'busy', AbortError: 'busy'};
if (!navigator.mediaDevices) {
  show('insecure');
} else if (!navigator.mediaDevices.faceqaWatched) {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.faceqaWatched = true;
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    try {
      const stream = await ask(wanted);
      show('');
      stream.getVideoTracks().forEach((track) => track.addEventListener('ended', () => show('lost')));
      return stream;
    } catch (error) {
      show(problems[error.name] || 'busy');
      throw error;
    }
  };
}
