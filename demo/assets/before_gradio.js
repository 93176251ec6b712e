// The one place where the page changes what belongs to the browser: the language that it says it prefers.
//
// The server has decided the page's language, from the address and the browser (demo/before_gradio.py). Gradio 6.31 has no
// option for it: it asks navigator.language once, when it starts, before any script of an app (`head`, `js`) runs.
// Only its rendering on the server, which needs Node, takes it from the request. So this stands before Gradio's
// first script. It can go when Gradio reads the page's lang attribute or takes a language from `launch`; until then
// the tests of the language in tests/app/test_browser.py fail without it.
{
  const decided = document.documentElement.lang;
  Object.defineProperty(navigator, 'language', {get: () => decided});
}
