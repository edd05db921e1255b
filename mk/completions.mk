# The completion scripts are part of the binary: coral completion bash|zsh prints them.
$(BUILD)/cli/cmd_completion.o: completions/coral.bash completions/_coral
