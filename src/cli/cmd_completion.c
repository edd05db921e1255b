/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/cmds.h"

#include <stdio.h>
#include <string.h>

#include "base/incbin.h"

/* The scripts as they are installed. */
INCBIN(completion_bash, "completions/coral.bash");
INCBIN(completion_zsh, "completions/_coral");
INCBIN(completion_fish, "completions/coral.fish");

static int
run_completion(const struct cmd *c, const struct args *a, int argc, char **argv, int dashdash)
{
	struct err e;

	(void)a;
	(void)dashdash;
	if (argc != 1) {
		cmd_bad_words(c, argc, argv, &e);
		return cmd_fail(&e);
	}
	if (strcmp(argv[0], "bash") == 0)
		fputs(completion_bash, stdout);
	else if (strcmp(argv[0], "zsh") == 0)
		fputs(completion_zsh, stdout);
	else if (strcmp(argv[0], "fish") == 0)
		fputs(completion_fish, stdout);
	else {
		err_set(&e, ERR_USAGE, 0, "there is no completion for %s", argv[0]);
		err_why(&e, "there are: bash, zsh, fish");
		err_hint(&e, "coral completion bash");
		return cmd_fail(&e);
	}
	return 0;
}

const struct cmd cmd_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .summary = "print the completion script of a shell",
    .examples = "source <(coral completion bash)\tfor this bash\n"
		"coral completion zsh >~/.zfunc/_coral\tfor every zsh with ~/.zfunc in $fpath\n"
		"coral completion fish >~/.config/fish/completions/coral.fish\tfor every fish\n",
    .words = COMP_WORDS,
    .word_list = "bash zsh fish",
    .run = run_completion,
};
