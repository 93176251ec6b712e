// Which tab is shown, as the first of an event's inputs.
(_, ...inputs) => {
  const panel = [...document.querySelectorAll('[role=tabpanel]')].find((tab) => tab.offsetParent);
  return [(panel?.id || '').replace('tab-', ''), ...inputs];
}
