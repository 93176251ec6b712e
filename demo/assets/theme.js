element.addEventListener('click', (event) => {
  if (event.target.closest('button')) document.body.classList.toggle('dark');
});
