// The tab that is shown stands in the address.
() => {
  const panel = [...document.querySelectorAll('[role=tabpanel]')].find((tab) => tab.offsetParent);
  const address = new URL(location.href);
  if (panel) address.searchParams.set('tab', panel.id.replace('tab-', ''));
  history.replaceState(null, '', address);
}
