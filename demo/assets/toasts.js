// Gradio's toasts say some things in English whatever the page's language is: the page's own sentence takes their
// place. `element` holds these sentences, each with a part of what Gradio says. A file that Gradio refuses while the
// Photo tab is open takes the place of the photo that was judged there.
const seen = () => {
  document.querySelectorAll('[data-testid="toast-text"]:not([data-read])').forEach((toast) => {
    toast.dataset.read = '';
    const ours = [...element.querySelectorAll('[data-toast]')]
      .find((sentence) => toast.textContent.includes(sentence.dataset.toast));
    if (!ours) return;
    toast.textContent = ours.textContent;
    const refused = ['note.too_large', 'note.wrong_kind'].includes(ours.dataset.note);
    if (refused && document.getElementById('photo').offsetParent) trigger('submit', {note: ours.dataset.note});
  });
};
new MutationObserver(seen).observe(document.documentElement, {childList: true, subtree: true});
