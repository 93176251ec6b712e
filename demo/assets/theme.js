element.addEventListener('click', (event) => {
  if (!event.target.closest('button')) return;
  const dark = document.body.classList.toggle('dark');
  const address = new URL(location.href);
  address.searchParams.set('theme', dark ? 'dark' : 'light');
  history.replaceState(null, '', address);
});
