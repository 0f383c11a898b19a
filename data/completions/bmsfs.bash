# SPDX-License-Identifier: LGPL-3.0-or-later
# bash completion for bmsfs and the programs beside it. Which options there are, their --help says.

# The options of -o, those that take a value with their '='.
_bmsfs_mount_options()
{
	"$1" --help 2>/dev/null | sed -n '/^OPTIONS/,$s/^  \([a-z_]*=\{0,1\}\)[A-Z]* .*/\1/p'
}

# The options that begin with '-', long ones with the '=' that the help has.
_bmsfs_flags()
{
	"$1" --help 2>/dev/null | sed -n 's/^  \(-.*\)/\1/p' | sed 's/  .*//' |
		grep -oE -- '(^|[ (])--?[a-zA-Z0-9][a-z-]*=?' | tr -d ' ('
}

_bmsfs_of_table()
{
	bmsfs --list --json 2>/dev/null | grep -o "\"$1\": \"[^\"]*\"" | cut -d '"' -f 4 | sort -u
}

_bmsfs_devices()
{
	compgen -G '/dev/bms/*'
	compgen -G '/dev/serial/by-id/*'
	compgen -G '/dev/ttyUSB*'
	compgen -G '/dev/ttyACM*'
}

# Offers of the other words those that, put behind $1, begin as the word at the cursor does. Of one
# with '=' or ':' in it readline replaces only what is behind the last of these.
_bmsfs_offer()
{
	local prefix=$1 breaks=${COMP_WORDBREAKS//[^=:]/} cut="" word

	shift
	if [[ -n $breaks ]]; then
		cut=${cur%"${cur##*["$breaks"]}"}
	fi
	for word; do
		if [[ $prefix$word == "$cur"* ]]; then
			word=$prefix$word
			COMPREPLY+=("${word#"$cut"}")
		fi
	done
	if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:] ]]; then
		compopt -o nospace
	fi
}

_bmsfs_offer_files()
{
	local words

	compopt -o filenames
	mapfile -t words < <(compgen "$3" -- "$2")
	_bmsfs_offer "$1" "${words[@]}"
}

# Offers values for option $2, put behind $1; $3 of the value is there.
_bmsfs_offer_values()
{
	# shellcheck disable=SC2046 # names without blanks, a line each
	case $2 in
	baud | --baud) _bmsfs_offer "$1" 56000 115200 38400 ;;
	model) _bmsfs_offer "$1" auto $(_bmsfs_of_table model) ;;
	--model) _bmsfs_offer "$1" $(_bmsfs_of_table model) ;;
	--category) _bmsfs_offer "$1" $(_bmsfs_of_table category) ;;
	user | uid) _bmsfs_offer "$1" $(compgen -u) ;;
	gid) _bmsfs_offer "$1" $(compgen -g) ;;
	-c | --config) _bmsfs_offer_files "$1" "${3:-/etc/bmsfs/}" -f ;;
	instructions | --instructions | --log | --pty | --unix | --replay)
		_bmsfs_offer_files "$1" "$3" -f
		;;
	esac
}

# $1 is the program, $2 the list in the word at the cursor, to the last comma in it, $3 the rest.
_bmsfs_mount_list()
{
	if [[ $3 == *=* ]]; then
		_bmsfs_offer_values "$2${3%%=*}=" "${3%%=*}" "${3#*=}"
		return
	fi
	# shellcheck disable=SC2046
	_bmsfs_offer "$2" $(_bmsfs_mount_options "$1")
	compopt -o nospace
}

_bmsfs_places()
{
	local places=0 i

	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		-o | -c) ((i++)) ;;
		-*) ;;
		*) ((places++)) ;;
		esac
	done
	if [[ $places -eq 0 ]]; then
		# shellcheck disable=SC2046
		_bmsfs_offer "" $(_bmsfs_devices) sim: tcp: unix:
		[[ ${#COMPREPLY[@]} -gt 0 ]] || _bmsfs_offer_files "" "$cur" -f
	elif [[ $places -eq 1 ]]; then
		_bmsfs_offer_files "" "$cur" -d
	fi
}

_bmsfs()
{
	local cur prev words cword list

	_init_completion -n =: || return
	list=${cur%"${cur##*,}"}
	if [[ $prev == -o ]]; then
		_bmsfs_mount_list "$1" "$list" "${cur#"$list"}"
	elif [[ $prev == -c ]]; then
		_bmsfs_offer_values "" -c "$cur"
	elif [[ $cur == --*=* ]]; then
		_bmsfs_offer_values "${cur%%=*}=" "${cur%%=*}" "${cur#*=}"
	elif [[ $cur == -* ]]; then
		# shellcheck disable=SC2046
		_bmsfs_offer "" $(_bmsfs_flags "$1")
	else
		_bmsfs_places
	fi
}

# Those whose options stand in words of their own.
_bmsfs_other()
{
	local cur prev words cword

	_init_completion -n =: || return
	_bmsfs_offer_values "" "$prev" "$cur"
	if [[ $prev == --fault ]]; then
		_bmsfs_offer "" drop= corrupt= delay= late= echo= garbage= truncate= silent= error= \
			foreign=
	elif [[ $cur == -* ]]; then
		# shellcheck disable=SC2046
		_bmsfs_offer "" $(_bmsfs_flags "$1")
	fi
}

complete -F _bmsfs bmsfs
complete -o default -F _bmsfs_other bmsfs-mqtt bmsfs-sim bmsfs-top
