// The tab that the address asked for when the page opened. As an output of an event, gr.Tabs would make Gradio 6.31 copy
// the state of the whole page at every event after it.
(asked) => document.getElementById(`tab-${JSON.parse(asked).tab}-button`)?.click()
