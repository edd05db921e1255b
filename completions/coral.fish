# fish completion for coral                                -*- shell-script -*-
# SPDX-License-Identifier: GPL-3.0-or-later
# coral itself knows the commands, the options and what is running.

function __coral_offer
	set -l words (commandline --tokenize --cut-at-cursor --current-process)
	set -l cur (commandline --cut-at-cursor --current-token)
	# fish compares with the whole word, --option= and all.
	set -l before (string match --regex -- '^--[^=]*=' $cur)
	set -l part (string replace --regex -- '^--[^=]*=' '' $cur)

	for line in ($words[1] __complete (count $words) $words "$cur" 2>/dev/null)
		switch $line
			case :file
				for path in (__fish_complete_path "$part")
					echo -- "$before$path"
				end
			case :dir
				for path in (__fish_complete_directories "$part")
					echo -- "$before$path"
				end
			case '--*'
				echo -- $line
			case '*'
				echo -- "$before$line"
		end
	end
end

complete --command coral --erase
complete --command coral --no-files --keep-order --arguments '(__coral_offer)'
