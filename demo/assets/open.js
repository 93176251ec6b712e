// What the browser knows when the page opens, before the server is asked for anything: the key that this tab of the
// browser keeps for a reload, the language, and what the address says.
() => {
  if (!sessionStorage.faceqa) {
    const numbers = crypto.getRandomValues(new Uint8Array(16));
    sessionStorage.faceqa = [...numbers].map((number) => number.toString(16).padStart(2, '0')).join('');
  }
  const asked = new URLSearchParams(location.search);
  if (asked.has('theme')) document.body.classList.toggle('dark', asked.get('theme') === 'dark');
  return [sessionStorage.faceqa, document.documentElement.lang, JSON.stringify(Object.fromEntries(asked))];
}
