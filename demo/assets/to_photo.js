// Turns to the Photo tab. As an output of an event, gr.Tabs would make Gradio 6.31 copy the state of the whole page at
// every event after it.
() => document.getElementById('tab-photo-button').click()
