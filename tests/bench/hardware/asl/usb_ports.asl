// Where the USB ports of the all-in-one lead (ACPI 6.5, 9.14 _UPC and 6.1.8 _PLD): the hub behind the sockets, the
// camera and the touch screen hang on ports that no customer reaches; the sockets are the hub's ports and port 4. QEMU's
// controller numbers its four ports for USB 3 first, so its USB 2 ports 1 to 4 are 5 to 8 here. The socket of port 4 is
// for both kinds of speed: two ports at one place (_PLD group token and position).
DefinitionBlock ("", "SSDT", 2, "BENCH", "USBPORTS", 1)
{
    External (\_SB.PCI0.S28, DeviceObj)

    Scope (\_SB.PCI0.S28)
    {
        Device (RHUB)
        {
            Name (_ADR, 0)

            Method (UPC, 0, Serialized) { Return (Package () { 0xFF, 0xFF, 0, 0 }) }
            Method (HARD, 0, Serialized) { Return (Package () { ToPLD (PLD_Revision = 2, PLD_UserVisible = 0) }) }
            Method (SOCK, 0, Serialized) { Return (Package () { ToPLD (PLD_Revision = 2, PLD_UserVisible = 1) }) }
            Method (BOTH, 0, Serialized)
            {
                Return (Package ()
                {
                    ToPLD (PLD_Revision = 2, PLD_UserVisible = 1, PLD_GroupToken = 1, PLD_GroupPosition = 4)
                })
            }

            Device (SS04) { Name (_ADR, 4) Method (_UPC) { Return (UPC ()) } Method (_PLD) { Return (BOTH ()) } }
            Device (HS01)
            {
                Name (_ADR, 5)
                Method (_UPC) { Return (UPC ()) }
                Method (_PLD) { Return (HARD ()) }

                Device (PR01) { Name (_ADR, 1) Method (_UPC) { Return (UPC ()) } Method (_PLD) { Return (SOCK ()) } }
                Device (PR02) { Name (_ADR, 2) Method (_UPC) { Return (UPC ()) } Method (_PLD) { Return (SOCK ()) } }
                Device (PR03) { Name (_ADR, 3) Method (_UPC) { Return (UPC ()) } Method (_PLD) { Return (SOCK ()) } }
                Device (PR04) { Name (_ADR, 4) Method (_UPC) { Return (UPC ()) } Method (_PLD) { Return (HARD ()) } }
            }
            Device (HS02) { Name (_ADR, 6) Method (_UPC) { Return (UPC ()) } Method (_PLD) { Return (HARD ()) } }
            Device (HS03) { Name (_ADR, 7) Method (_UPC) { Return (UPC ()) } Method (_PLD) { Return (HARD ()) } }
            Device (HS04) { Name (_ADR, 8) Method (_UPC) { Return (UPC ()) } Method (_PLD) { Return (BOTH ()) } }
        }
    }
}
