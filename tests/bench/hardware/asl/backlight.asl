// The backlight of the built-in panel, which hangs on the graphics adapter (ACPI 6.5, appendix B). The register's
// address is REGISTERS; it holds the level in %.
DefinitionBlock ("", "SSDT", 2, "BENCH", "BACKLITE", 1)
{
    External (\_SB.PCI0.S10, DeviceObj)

    Scope (\_SB.PCI0.S10)
    {
        Method (_DOS, 1) { }
        Name (_DOD, Package () { 0x80000400 })

        Device (LCD0)
        {
            Name (_ADR, 0x0400)                                         // a built-in panel

            OperationRegion (LITE, SystemMemory, REGISTERS, 4)
            Field (LITE, DWordAcc, NoLock, Preserve)
            {
                LEVL, 32
            }

            // The levels at mains power and on battery, then all that there are.
            Name (_BCL, Package () { 80, 40, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100 })
            Method (_BCM, 1, Serialized) { LEVL = Arg0 }
            Method (_BQC, 0, Serialized) { Return (LEVL) }
        }
    }
}
