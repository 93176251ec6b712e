// ?lang= decides before Gradio draws the page, so that Gradio's own words follow, too.
const wanted = new URLSearchParams(location.search).get('lang');
if (['en', 'ko'].includes(wanted)) {
  Object.defineProperty(navigator, 'language', {get: () => wanted});
  Object.defineProperty(navigator, 'languages', {get: () => [wanted]});
}
document.documentElement.lang = navigator.language.toLowerCase().startsWith('ko') ? 'ko' : 'en';
