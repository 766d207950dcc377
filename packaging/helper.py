#!/usr/bin/python3 -I
"""Where the privileged helper begins. Installed as ``/usr/lib/aiodiag/aiodiag-helper``, frozen or as it is."""

from agent.privileged.helper import main

main()
