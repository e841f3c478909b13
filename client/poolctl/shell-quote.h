/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words for the shell that ssh(1) starts on the other side: it joins its arguments into one line. */
#pragma once

/* The words, each in single quotes, with blanks between; a new string, NULL: out of memory. */
char *shell_quote(char *const *words);
