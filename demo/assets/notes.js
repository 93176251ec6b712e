// A full queue and a file that is too large: Gradio says so in its own words, in English.
const ask = window.fetch;
window.fetch = async (...given) => {
  const answer = await ask(...given);
  const note = document.querySelector(`#notes [data-status="${answer.status}"]`);
  if (note) {
    note.hidden = false;
    setTimeout(() => { note.hidden = true; }, 8000);
  }
  return answer;
};
