# bash completion for coral                                -*- shell-script -*-
# SPDX-License-Identifier: GPL-3.0-or-later
# coral itself knows the commands, the options and what is running.

_coral()
{
	local cur=${COMP_WORDS[COMP_CWORD]} value i
	local -a words=()

	# bash cuts --option=value in three; coral wants it whole.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == = && $i -gt 0 && ${words[-1]} == --* ]] ||
			[[ $i -gt 1 && ${COMP_WORDS[i - 1]} == = && ${words[-1]} == --*= ]]; then
			words[-1]+=${COMP_WORDS[i]}
		else
			words+=("${COMP_WORDS[i]}")
		fi
	done
	[[ $cur == = ]] && cur=
	COMPREPLY=()
	while IFS=$'\t' read -r value _; do
		case $value in
		:file)
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			;;
		:dir)
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -d -- "$cur")
			;;
		?*)
			COMPREPLY+=("$value")
			;;
		esac
	done < <("${COMP_WORDS[0]}" __complete "$((${#words[@]} - 1))" "${words[@]}" 2>/dev/null)
}
complete -F _coral coral
