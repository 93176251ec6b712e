// The tab that the address asked for when the page opened; see `to_photo.js`.
(asked) => document.getElementById(`tab-${JSON.parse(asked).tab}-button`)?.click()
