"""Grading a class: submissions in, verdicts and reports out.

reading    a folder or zip of hostile files -> submissions
program    a submission's cells -> what is run of them
wire       values as frames that cannot execute and cannot over-allocate
sandbox    a warm process that the system keeps apart from everything
server     what runs in it: imports once, forks for every submission
remote     an answer that lives in the sandbox, called by a probe that does not
trial      one submission tried, from outside
fresh      cases and keys for a class, drawn from its seed
runner     all submissions on all cores; nothing finished is lost
gradebook  the stored verdicts
reports    what the student, the instructor and other systems read
"""
