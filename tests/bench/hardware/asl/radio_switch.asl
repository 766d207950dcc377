// A switch for the radios of the unit, as the driver dell-rbtn knows it (drivers/platform/x86/dell/dell-rbtn.c): it moves
// between two places, and says in which it stands. It is off where BLOCKED is 1.
DefinitionBlock ("", "SSDT", 2, "BENCH", "RADIO", 1)
{
    Scope (\_SB)
    {
        Device (RBTN)
        {
            Name (_HID, "DELLABCE")
            Method (CRBT) { Return (2) }                                // a switch, no key
            Method (GRBT) { If (BLOCKED) { Return (0) } Return (1) }
            Method (ARBT, 1) { }                                        // the system takes it over
        }
    }
}
