// What other services may know of this one.
export { checkJobDocument, fillParameters } from "./document.js";
export { readWindows } from "./schedule.js";
export { checkJobSettings, type FindJobContent, type FindJobTemplate, type JobContent } from "./settings.js";
