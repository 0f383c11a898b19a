#compdef bmsfs
# SPDX-License-Identifier: LGPL-3.0-or-later
# zsh completion for bmsfs. Which options there are, its --help says.

# What the table of instructions has under that key, and the other words.
_bmsfs_of_table()
{
	local key=$1
	local -a expl found

	shift
	found=($@ ${(f)"$(_call_program table $service --list --json 2>/dev/null |
		grep -o "\"$key\": \"[^\"]*\"" | cut -d '"' -f 4 | sort -u)"})
	_wanted values expl $key compadd -a found
}

# An action of _arguments and _values for what the help calls $2 behind option $1.
_bmsfs_action()
{
	case $1=$2 in
	model=*) REPLY=' _bmsfs_of_table model auto' ;;
	category=*) REPLY=' _bmsfs_of_table category' ;;
	*=RATE) REPLY='(56000 115200 38400)' ;;
	*=USER) REPLY=_users ;;
	*=GROUP) REPLY=_groups ;;
	*=FILE) REPLY=_files ;;
	*) REPLY=' ' ;;
	esac
}

# Sets reply to the options of -o, in the form that _values takes.
_bmsfs_mount_options()
{
	local line REPLY in_options=0
	local -a match mbegin mend

	setopt localoptions extendedglob
	reply=()
	for line in ${(f)"$(_call_program options $service --help 2>/dev/null)"}; do
		[[ $line == OPTIONS* ]] && in_options=1
		((in_options)) || continue
		[[ $line =~ '^  ([a-z_]+)(=([A-Z]+))? +([^ ].*)$' ]] || continue
		_bmsfs_action $match[1] $match[3]
		reply+=("$match[1][${match[4]//(#m)[\[\]\\]/\\$MATCH}]${match[3]:+:$match[3]:$REPLY}")
	done
}

_bmsfs_mount_list()
{
	local -a reply

	_bmsfs_mount_options
	_values -s , 'mount option' $reply
}

_bmsfs_flags()
{
	local line REPLY
	local -a match mbegin mend

	reply=()
	for line in ${(f)"$(_call_program options $service --help 2>/dev/null)"}; do
		if [[ $line =~ '^  (-[a-zA-Z]), --([a-z]+)(=([A-Z]+))? +([^ ].*)$' ]]; then
			_bmsfs_action $match[2] $match[4]
			reply+=("$match[1]+[$match[5]]${match[4]:+:$match[4]:$REPLY}"
				"--$match[2]${match[4]:+=}[$match[5]]${match[4]:+:$match[4]:$REPLY}")
			[[ -n $match[4] ]] || reply[-2]=${reply[-2]/+/}
		elif [[ $line =~ '^  --([a-z]+)(=([A-Z]+))? +([^ ].*)$' ]]; then
			_bmsfs_action $match[1] $match[3]
			reply+=("--$match[1]${match[3]:+=}[$match[4]]${match[3]:+:$match[3]:$REPLY}")
		elif [[ $line =~ '^  (-[a-z]) +([^ ].*)$' && $match[1] != -o ]]; then
			reply+=("$match[1][$match[2]]")
		fi
	done
}

_bmsfs_devices()
{
	local none=1
	local -a ports

	ports=(/dev/bms/*(N) /dev/serial/by-id/*(N) /dev/ttyUSB*(N) /dev/ttyACM*(N))
	compadd "$@" -S '' -- sim: tcp: unix: && none=0
	compadd "$@" -a ports && none=0
	_files "$@" && none=0
	return none
}

_bmsfs()
{
	local -a reply

	_bmsfs_flags
	_arguments -s : $reply '*-o+[mount options]:mount options:_bmsfs_mount_list' \
		':device:_bmsfs_devices' ':mount point:_files -/'
}

_bmsfs "$@"
