"""Grading a class: submissions in, verdicts and reports out.

reading    a folder or zip of hostile files -> submissions
  listing    what lies there, in a pile for each student
  levels     at which level of folders the students are
  students   whose it is, by the names of files and folders
  names      which of their words say who somebody is
  places     a file of a folder or zip, opened with care
  notebooks  the bytes of a notebook -> its code cells and its lesson
program    a submission's cells -> what is run of them
  blanks     what the grader knows of the course's own notebooks
wire       values as frames that cannot execute and cannot over-allocate
sandbox    a warm process that the system keeps apart from everything
  landlock, seccomp  which files and which system calls its submissions may use
  quarters a user and a folder for them, where there are no namespaces
  canary   a submission that tries what must be impossible
  cores    a core for each warm process
server     what runs in it: imports once, forks for every submission
remote     an answer that lives in the sandbox, called by a probe that does not
prober     a clean process in it, for probes that need TensorFlow
  mirror   a graph that one process builds and another runs
trial      one submission tried, from outside
fresh      cases for a class, drawn from its seed, and where its keys are kept
keymaker   the key of a lesson for a class, made by running the solved one
runner     all submissions on all cores; nothing finished is lost
gradebook  the stored verdicts
  private  files for whoever grades alone
reports    what the student, the instructor and other systems read
  paper    what the reports share: safe text, names of files, pages
  tables   for a spreadsheet, Canvas, Moodle
  feedback a page for each submission
  overview class.html
  nbgrader_book  gradebook.db
"""
