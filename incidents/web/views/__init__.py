"""An incident and a document as a page shows them to one visitor, and what a form posted."""
