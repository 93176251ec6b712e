// Gradio's toasts say some things in English whatever the page's language is: the page's own sentence takes their
// place. #notes holds these sentences, each with a part of what Gradio says.
new MutationObserver(() => {
  document.querySelectorAll('[data-testid="toast-text"]:not([data-read])').forEach((toast) => {
    toast.dataset.read = '';
    const ours = [...document.querySelectorAll('#notes [data-toast]')]
      .find((sentence) => toast.textContent.includes(sentence.dataset.toast));
    if (ours) toast.textContent = ours.textContent;
  });
}).observe(document.documentElement, {childList: true, subtree: true});
