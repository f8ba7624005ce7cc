-- Which jobs a session has stands in the memory of the process that works the file: the index was written twice for each job.

DROP INDEX godwit_places_session;
