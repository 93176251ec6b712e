// Gradio takes its language from the browser; the server has decided it already, from the address and the browser.
{
  const decided = document.documentElement.lang;
  Object.defineProperty(navigator, 'language', {get: () => decided});
}
