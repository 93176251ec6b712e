// Arrow keys, Home and End go through the tabs (the tabs pattern of WAI-ARIA); Gradio has no keys for them.
() => document.addEventListener('keydown', (event) => {
  const tabs = [...(event.target.closest('[role=tablist]')?.querySelectorAll('[role=tab]') || [])];
  const at = tabs.indexOf(event.target);
  const to = {ArrowRight: (at + 1) % tabs.length, ArrowLeft: (at + tabs.length - 1) % tabs.length,
    Home: 0, End: tabs.length - 1}[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  tabs[to].focus();
  tabs[to].click();
})
